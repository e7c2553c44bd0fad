import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from './program.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The example of streams and bindings, with a database of its own. */
export class MuxServer extends Program {
  private constructor() {
    super('mux')
  }

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

  get database(): string {
    return join(this.folder, 'mux.db')
  }

  protected command(address: string) {
    return { file: join(this.folder, 'mux'), args: ['runserver', '--addr', address, '--db', this.database], cwd: root }
  }
}
