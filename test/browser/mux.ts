import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The example of streams and bindings, with a database of its own. */
export class MuxServer {
  url = ''
  private readonly folder = mkdtempSync(join(tmpdir(), 'mux-'))
  private address = '127.0.0.1:0'
  private child: ChildProcess | undefined

  /** Builds and starts it on a free port. */
  static async start(): Promise<MuxServer> {
    const server = new MuxServer()
    try {
      execFileSync('go', ['build', '-o', join(server.folder, 'mux'), './examples/mux'], { cwd: root, stdio: 'inherit' })
      await server.run()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  /** Runs the server, at the address that it had before. */
  async run(): Promise<void> {
    const args = ['runserver', '--addr', this.address, '--db', this.database]
    const child = spawn(join(this.folder, 'mux'), args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    this.child = child
    for await (const line of createInterface(child.stdout)) {
      const address = /listening on http:\/\/(\S+)/.exec(line)?.[1]
      if (address === undefined) continue
      this.address = address
      this.url = `http://${address}`
      return
    }
    throw new Error('the server ended before it listened')
  }

  /** Ends the process without giving it time for anything. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Runs statements in a process of their own and returns what they print. */
  sql(statements: string): string {
    return execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', this.database, statements], { encoding: 'utf8' }).trim()
  }

  /** Sends a request as a user, and returns what it is answered with. */
  async rest(username: string, password: string, method: string, path: string, body?: unknown): Promise<unknown> {
    const login = await fetch(`${this.url}/api/token`, { method: 'POST', body: JSON.stringify({ username, password }) })
    const { token } = (await login.json()) as { readonly token: string }
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Token ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? undefined : answer.json()
  }

  private get database(): string {
    return join(this.folder, 'mux.db')
  }
}
