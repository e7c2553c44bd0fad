import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from './program.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A project as "pando startproject" makes it, with ada and grace as users, and its server. */
export class StartedProject extends Program {
  private constructor() {
    super('started')
  }

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

  get database(): string {
    return join(this.site, 'demo.db')
  }

  protected command(address: string) {
    return { file: join(this.site, 'bin/demo'), args: ['runserver', '--addr', address], cwd: this.site }
  }

  private get site(): string {
    return join(this.folder, 'demo')
  }
}
