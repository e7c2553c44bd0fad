import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A project as "pando startproject" makes it, with ada and grace as users, and its server. */
export class StartedProject {
  url = ''
  private readonly folder = mkdtempSync(join(tmpdir(), 'started-'))
  private address = '127.0.0.1:0'
  private child: ChildProcess | undefined

  /** Makes the project, builds it and serves it on a free port. */
  static async start(): Promise<StartedProject> {
    const project = new StartedProject()
    try {
      project.make()
      await project.run()
    } catch (error) {
      await project.stop()
      throw error
    }
    return project
  }

  private make(): void {
    const pando = join(this.folder, 'pando')
    execFileSync('go', ['build', '-o', pando, './cmd/pando'], { cwd: root, stdio: 'inherit' })
    execFileSync(pando, ['startproject', 'demo'], { cwd: this.folder })
    execFileSync('go', ['build', '-o', 'bin/demo', '.'], { cwd: this.site, stdio: 'inherit' })
    for (const [name, password] of [['ada', 'lovelace'], ['grace', 'hopper']] as const) {
      execFileSync(join(this.site, 'bin/demo'), ['createuser', name, '--password-stdin'], { cwd: this.site, input: `${password}\n` })
    }
  }

  /** Runs the server, at the address that it had before. */
  async run(): Promise<void> {
    const child = spawn(join(this.site, 'bin/demo'), ['runserver', '--addr', this.address], {
      cwd: this.site,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
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

  /** Runs statements in a process of their own. */
  sql(statements: string): void {
    execFileSync('sqlite3', ['-bail', '-cmd', '.timeout 5000', join(this.site, 'demo.db'), statements])
  }

  private get site(): string {
    return join(this.folder, 'demo')
  }
}
