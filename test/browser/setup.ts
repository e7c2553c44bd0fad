import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The board's binary. */
    readonly binary: string
    /** The page with React's own checks in it; StrictMode only does something there. */
    readonly devPage: string
    /** The page as "make" builds it. */
    readonly builtPage: string
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const frontend = join(root, 'examples/board/frontend')

/** Builds the server and the development page into a folder that goes away afterwards. */
export default function setup(project: TestProject): () => void {
  const builtPage = join(frontend, 'dist')
  if (!existsSync(join(builtPage, 'index.html'))) {
    throw new Error('the front end is not built: run "make test-browser", which builds it first')
  }
  const folder = mkdtempSync(join(tmpdir(), 'board-browser-'))
  const binary = join(folder, 'board')
  const devPage = join(folder, 'page')
  execFileSync('go', ['build', '-o', binary, './examples/board'], { cwd: root, stdio: 'inherit' })
  const vite = ['build', '--mode', 'development', '--outDir', devPage, '--emptyOutDir', '--logLevel', 'warn']
  execFileSync(join(root, 'node_modules/.bin/vite'), vite, {
    cwd: frontend,
    env: { ...process.env, NODE_ENV: 'development' },
    stdio: 'inherit',
  })
  project.provide('binary', binary)
  project.provide('devPage', devPage)
  project.provide('builtPage', builtPage)
  return () => {
    rmSync(folder, { recursive: true, force: true })
  }
}
