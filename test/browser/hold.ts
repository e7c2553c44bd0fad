import type { BrowserContext, WebSocketRoute } from 'playwright-core'

/** The socket of a page, whose messages to the server can be held back. */
export class Hold {
  private held: (() => void)[] | undefined

  /** Takes the place of every socket that pages of the context open from now on. */
  static async on(context: BrowserContext): Promise<Hold> {
    const hold = new Hold()
    await context.routeWebSocket(/\/ws$/, (page) => {
      hold.join(page, page.connectToServer())
    })
    return hold
  }

  /** Holds back what pages send, until it is released. */
  take(): void {
    this.held = []
  }

  /** Sends what was held back. */
  release(): void {
    const held = this.held ?? []
    this.held = undefined
    for (const send of held) send()
  }

  private join(page: WebSocketRoute, server: WebSocketRoute): void {
    page.onMessage((message) => {
      const send = () => {
        server.send(message)
      }
      if (this.held === undefined) send()
      else this.held.push(send)
    })
  }
}
