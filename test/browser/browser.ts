import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Locator, type Page } from 'playwright-core'

export type Username = 'ada' | 'grace' | 'mary'

const passwords: Readonly<Record<Username, string>> = { ada: 'lovelace', grace: 'hopper', mary: 'somerville' }

/** Starts the system's Chromium. */
export function launch(): Promise<Browser> {
  const path = process.env.PATH ?? ''
  const executablePath = path
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
    .find((file) => existsSync(file))
  if (executablePath === undefined) throw new Error('Chromium is missing: "make setup" installs it')
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

/** One frame of the socket as far as the tests read it. */
export interface Frame {
  readonly stream: string
  readonly payload: { readonly type?: string; readonly v?: number; readonly set?: readonly unknown[]; readonly upd?: readonly unknown[]; readonly route?: string }
}

/** What is done to a browser's context before it opens anything. */
export type Prepare = (context: BrowserContext) => Promise<void>

/** A person at a browser of their own, with a record of what the page said and was told. */
export class Visitor {
  readonly page: Page
  /** Errors and warnings in the console, but for the browser's own of a server that is gone or refuses a token. */
  readonly complaints: string[] = []
  readonly received: Frame[] = []
  readonly sent: Frame[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('console', (message) => {
      const expected = /net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|SOCKET_NOT_CONNECTED)|status of 401/.test(message.text())
      if (['error', 'warning'].includes(message.type()) && !expected) this.complaints.push(message.text())
    })
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => this.received.push(...frames(payload)))
      socket.on('framesent', ({ payload }) => this.sent.push(...frames(payload)))
    })
  }

  /** Opens an address and waits for the login. */
  static async arrive(browser: Browser, url: string, options: BrowserContextOptions = {}, prepare?: Prepare): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    await prepare?.(context)
    const visitor = new Visitor(await context.newPage())
    await visitor.page.goto(url)
    return visitor
  }

  /** Opens an address and logs in. */
  static async enter(browser: Browser, url: string, username: Username, options: BrowserContextOptions = {}, prepare?: Prepare): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, url, options, prepare)
    await visitor.login(username, passwords[username])
    return visitor
  }

  async login(username: string, password: string): Promise<void> {
    await this.page.getByLabel('Username').fill(username)
    await this.page.getByLabel('Password').fill(password)
    await this.page.getByRole('button', { name: 'Log in' }).click()
  }

  /** A list by its name. */
  list(name: string): Locator {
    return this.page.getByRole('region', { name })
  }

  /** A card by its title. */
  card(title: string): Locator {
    return this.page.getByRole('listitem').filter({ has: this.page.getByRole('button', { name: title, exact: true }) })
  }

  /** The part of a card that takes the keyboard. */
  handle(title: string): Locator {
    return this.page.getByRole('button', { name: title, exact: true })
  }

  /** The titles of a list's cards, from above. */
  titles(list: string): Promise<string[]> {
    return this.list(list).locator('.card-title').allTextContents()
  }

  /** Waits until the connection is what it says. */
  async connection(text: 'Online' | 'Reconnecting'): Promise<void> {
    await this.page.getByRole('status').filter({ hasText: text }).waitFor()
  }

  /** Forgets the frames received so far. */
  forget(): void {
    this.received.length = 0
  }

  /** The state frames received that change something. */
  patches(): readonly Frame['payload'][] {
    return this.received.filter(({ stream, payload }) => stream.startsWith('#') && payload.v !== undefined).map(({ payload }) => payload)
  }

  async leave(): Promise<void> {
    await this.page.context().close()
  }
}

function frames(payload: string | Buffer): readonly Frame[] {
  return [JSON.parse(payload.toString()) as Frame | readonly Frame[]].flat()
}
