import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A server in a process that can be killed, with a temporary folder and a free port. */
export abstract class Program {
  protected readonly folder: string
  private address = '127.0.0.1:0'
  private child: ChildProcess | undefined

  protected constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `${name}-`))
  }

  get url(): string {
    return `http://${this.address}`
  }

  /** The file of the database. */
  abstract get database(): string

  /** The command that serves at an address, and the folder that it runs in. */
  protected abstract command(address: string): { readonly file: string; readonly args: readonly string[]; readonly cwd?: string }

  /** Runs the server, at the address that it had before. */
  async run(): Promise<void> {
    const { file, args, cwd } = this.command(this.address)
    const child = spawn(file, args, { ...(cwd !== undefined && { cwd }), stdio: ['ignore', 'pipe', 'inherit'] })
    this.child = child
    for await (const line of createInterface(child.stdout)) {
      const address = /listening on http:\/\/(\S+)/.exec(line)?.[1]
      if (address === undefined) continue
      this.address = address
      return
    }
    throw new Error(`${file} ended before it listened`)
  }

  /** Ends the process without giving it time for anything. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Kills the server and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Runs statements in a process of their own and returns what they print. */
  sql(statements: string): string {
    return execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', this.database, statements], { encoding: 'utf8' }).trim()
  }
}
