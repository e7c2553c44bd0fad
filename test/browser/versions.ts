import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const source = join(root, 'test/browser/versions')
const run = promisify(execFile)

/** A release of the app in `versions`: the first, one with a field more, and one that has lost a field of both. */
export type Release = 'a' | 'b' | 'c'

/** The servers of all releases, and the pages that were built against them. */
export class Releases {
  private readonly folder = mkdtempSync(join(tmpdir(), 'versions-'))

  static async build(): Promise<Releases> {
    const releases = new Releases()
    try {
      await Promise.all((['a', 'b', 'c'] as const).map((release) => releases.build(release)))
    } catch (error) {
      releases.remove()
      throw error
    }
    return releases
  }

  binary(release: Release): string {
    return join(this.folder, release)
  }

  page(release: Release): string {
    return join(this.folder, `page-${release}`)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async build(release: Release): Promise<void> {
    const files = ['main.go', `release_${release}.go`].map((name) => join(source, name))
    await run('go', ['build', '-ldflags=-s -w', '-o', this.binary(release), ...files], { cwd: root })
    // The classes of the first one are those that the page's types are checked with.
    const live = release === 'a' ? join(source, 'live') : join(this.folder, `live-${release}`)
    await run(this.binary(release), ['makefrontend', '--out', live, ...(release === 'a' ? ['--check'] : [])], { cwd: source })
    const vite = ['build', '--mode', 'development', '--outDir', this.page(release), '--emptyOutDir', '--logLevel', 'error']
    await run(join(root, 'node_modules/.bin/vite'), vite, { cwd: source, env: { ...process.env, NODE_ENV: 'development', LIVE: live } })
    // As builds that can be reproduced have it, all are of one date: pages are told apart by their content.
    const built = new Date(2024, 0, 1)
    utimesSync(join(this.page(release), 'index.html'), built, built)
  }
}

/** One address and one database, at which one release takes the place of another. */
export class Deployment {
  private readonly folder = mkdtempSync(join(tmpdir(), 'versions-db-'))
  private readonly releases: Releases
  private address = '127.0.0.1:0'
  private child: ChildProcess | undefined

  constructor(releases: Releases) {
    this.releases = releases
  }

  get url(): string {
    return `http://${this.address}`
  }

  /** Starts a release, which serves its own page unless another one's is named. */
  async start(release: Release, page = release): Promise<void> {
    const args = ['runserver', '--addr', this.address, '--db', this.database, '--static', this.releases.page(page)]
    const child = spawn(this.releases.binary(release), args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.child = child
    for await (const line of createInterface(child.stdout)) {
      const address = /listening on http:\/\/(\S+)/.exec(line)?.[1]
      if (address === undefined) continue
      this.address = address
      return
    }
    throw new Error(`release ${release} ended before it listened`)
  }

  /** Asks the server to end, as a deploy does, and waits until it has. */
  async stop(): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal ?? 'neither code nor signal'}`)
  }

  async replace(release: Release, page = release): Promise<void> {
    await this.stop()
    await this.start(release, page)
  }

  /** Ends the server and removes the database. */
  async remove(): Promise<void> {
    await this.stop().finally(() => {
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** Runs statements in a process of their own and returns what they print. */
  sql(statements: string): string {
    return execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', this.database, statements], { encoding: 'utf8' }).trim()
  }

  private get database(): string {
    return join(this.folder, 'versions.db')
  }
}
