import { join } from 'node:path'
import { inject } from 'vitest'
import { Program } from './program.js'

/** A board of its own. */
export class BoardServer extends Program {
  private readonly page: string

  private constructor(page: string) {
    super('board-db')
    this.page = page
  }

  /** Starts a board that serves a built page. */
  static async start(page = inject('devPage')): Promise<BoardServer> {
    const server = new BoardServer(page)
    await server.run()
    return server
  }

  get database(): string {
    return join(this.folder, 'board.db')
  }

  protected command(address: string) {
    return { file: inject('binary'), args: ['runserver', '--addr', address, '--db', this.database, '--static', this.page] }
  }
}
