import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inject } from 'vitest'

/** A board of its own: a database in a temporary folder, a free port, a process that can be killed. */
export class BoardServer {
  private readonly folder = mkdtempSync(join(tmpdir(), 'board-db-'))
  private readonly page: string
  private address = '127.0.0.1:0'
  private child: ChildProcess | undefined

  private constructor(page: string) {
    this.page = page
  }

  /** Starts a board that serves a built page. */
  static async start(page = inject('devPage')): Promise<BoardServer> {
    const server = new BoardServer(page)
    await server.run()
    return server
  }

  get url(): string {
    return `http://${this.address}`
  }

  /** Runs the server, at the address that it had before. */
  async run(): Promise<void> {
    const args = ['runserver', '--addr', this.address, '--db', this.database, '--static', this.page]
    const child = spawn(inject('binary'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.child = child
    for await (const line of createInterface(child.stdout)) {
      const address = /listening on http:\/\/(\S+)/.exec(line)?.[1]
      if (address === undefined) continue
      this.address = address
      return
    }
    throw new Error('the board ended before it listened')
  }

  /** Ends the process without giving it time for anything. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Kills the server and removes its database. */
  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Runs statements in a process of their own and returns what they print. */
  sql(statements: string): string {
    return execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', this.database, statements], { encoding: 'utf8' }).trim()
  }

  /** The file of the database. */
  get database(): string {
    return join(this.folder, 'board.db')
  }
}
