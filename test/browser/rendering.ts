import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The example of server rendering: the quickstart's Go app with a database of its own, and the Node server before it. */
export class RenderingServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'rendering-'))
  url = ''
  private readonly children: ChildProcess[] = []

  /** Builds and starts both on free ports. */
  static async start(): Promise<RenderingServer> {
    const server = new RenderingServer()
    try {
      await server.run()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  private async run(): Promise<void> {
    execFileSync('go', ['build', '-o', join(this.folder, 'quickstart'), './examples/quickstart'], { cwd: root, stdio: 'inherit' })
    // With React's own checks, which tell of a page that does not fit what the browser renders.
    const env = { ...process.env, NODE_ENV: 'development' }
    execFileSync('npm', ['run', 'build', '--silent', '-w', 'examples/rendering'], { cwd: root, env, stdio: 'inherit' })
    const address = `127.0.0.1:${await freePort()}`
    const app = this.spawn(join(this.folder, 'quickstart'), [], { ADDR: address })
    const backend = `http://${address}/live/`
    while (!(await healthy(new URL('healthz', backend)))) {
      if (app.exitCode !== null) throw new Error('the quickstart ended before it answered')
      await pause(50)
    }
    const script = join(root, 'examples/rendering/dist/server/server.js')
    const node = this.spawn(process.execPath, ['--experimental-websocket', script], { ADDR: '127.0.0.1:0', BACKEND: backend })
    if (node.stdout === null) throw new Error('the Node server has no output')
    for await (const line of createInterface(node.stdout)) {
      this.url = /listening on (\S+)/.exec(line)?.[1] ?? ''
      if (this.url !== '') return
    }
    throw new Error('the Node server ended before it listened')
  }

  /** Logs in as the quickstart's user, and returns the cookie. */
  async login(): Promise<string> {
    const body = new URLSearchParams({ username: 'ada', password: 'lovelace' })
    const answer = await fetch(`${this.url}/login`, { method: 'POST', body, redirect: 'manual' })
    const [cookie = ''] = answer.headers.getSetCookie()
    return cookie.split(';')[0] ?? ''
  }

  /** Runs statements in a process of their own and returns what they print. */
  sql(statements: string): string {
    return execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', join(this.folder, 'quickstart.db'), statements], { encoding: 'utf8' }).trim()
  }

  async stop(): Promise<void> {
    for (const child of this.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(command, args, { cwd: this.folder, env: { ...process.env, NODE_ENV: 'development', ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
    this.children.push(child)
    return child
  }
}

async function healthy(url: URL): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** A port that nobody uses, for a program that cannot tell which one it was given. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
