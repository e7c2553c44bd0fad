import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A PostgreSQL and a NATS of one's own, which end with this process at the latest. */
export class Servers {
  readonly database: string
  readonly broker: string
  private readonly child: ChildProcess

  private constructor(child: ChildProcess, urls: { readonly database: string; readonly broker: string }) {
    this.child = child
    this.database = urls.database
    this.broker = urls.broker
  }

  static async start(): Promise<Servers> {
    const folder = mkdtempSync(join(tmpdir(), 'board-servers-'))
    try {
      const program = join(folder, 'servers')
      execFileSync('go', ['build', '-o', program, './browser/servers'], { cwd: join(root, 'test'), stdio: 'inherit' })
      const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
      for await (const line of createInterface(child.stdout)) {
        return new Servers(child, JSON.parse(line) as { database: string; broker: string })
      }
      throw new Error('PostgreSQL and NATS cannot be started: "make setup" installs them')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  async stop(): Promise<void> {
    this.child.stdin?.end()
    if (this.child.exitCode === null) await once(this.child, 'exit')
  }
}

/** One process of a board that has several. */
export class BoardNode {
  readonly address: string
  private readonly child: ChildProcess

  private constructor(child: ChildProcess, address: string) {
    this.child = child
    this.address = address
  }

  static async start(servers: Servers): Promise<BoardNode> {
    const child = spawn(inject('binary'), ['runserver', '--addr', '127.0.0.1:0', '--static', inject('devPage')], {
      env: { ...process.env, PANDO_DB: servers.database, PANDO_BROKER: servers.broker },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface(child.stdout)) {
      const address = /listening on http:\/\/(\S+)/.exec(line)?.[1]
      if (address !== undefined) return new BoardNode(child, address)
    }
    throw new Error('a node of the board ended before it listened')
  }

  /** Whether it was killed: its port may be another process's by now. */
  get killed(): boolean {
    return this.child.killed
  }

  /** Ends the process without giving it time for anything. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

/** A proxy of TCP connections: who comes goes to the first of its nodes that takes connections. */
export class Door {
  /** How many connections went to each node. */
  readonly passed: number[]
  /** Nobody is let in while it is shut; who is inside stays. */
  shut = false
  private readonly nodes: readonly BoardNode[]
  private readonly open = new Set<Socket>()
  private readonly server: Server

  private constructor(nodes: readonly BoardNode[]) {
    this.nodes = nodes
    this.passed = nodes.map(() => 0)
    this.server = createServer((client) => {
      // It may go before a node has taken it.
      client.on('error', () => client.destroy())
      this.pass(client, 0)
    })
  }

  static async before(...nodes: readonly BoardNode[]): Promise<Door> {
    const door = new Door(nodes)
    door.server.listen(0, '127.0.0.1')
    await once(door.server, 'listening')
    return door
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port.toString()}`
  }

  async close(): Promise<void> {
    this.server.close()
    for (const socket of this.open) socket.destroy()
    await once(this.server, 'close')
  }

  private pass(client: Socket, turn: number): void {
    const node = this.shut ? undefined : this.nodes[turn]
    if (node === undefined) {
      client.resetAndDestroy()
      return
    }
    const refused = () => {
      this.pass(client, turn + 1)
    }
    if (node.killed) {
      refused()
      return
    }
    const [host, port] = node.address.split(':')
    const upstream = connect(Number(port), host)
    upstream.once('error', refused)
    upstream.once('connect', () => {
      upstream.off('error', refused)
      if (client.destroyed) {
        upstream.destroy()
        return
      }
      this.passed[turn] = (this.passed[turn] ?? 0) + 1
      this.join(client, upstream)
    })
  }

  private join(client: Socket, upstream: Socket): void {
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.open.add(from)
      // One side's end, in order or not, is the other's.
      from.on('error', () => to.resetAndDestroy())
      from.on('close', () => {
        this.open.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }
}
