import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

// What CI runs, on the board as it is and on one whose state has a field more.
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'board-generated-'))
const changed = join(folder, 'board')

beforeAll(() => {
  const state = join(root, 'examples/board/state.go')
  const source = readFileSync(state, 'utf8')
  const grown = source.replace('Title string `json:"title"`', 'Title string `json:"title"`\n\tColour string `json:"colour"`')
  expect(grown).not.toBe(source)
  writeFileSync(join(folder, 'state.go'), grown)
  writeFileSync(join(folder, 'overlay.json'), JSON.stringify({ Replace: { [state]: join(folder, 'state.go') } }))
  execFileSync('go', ['build', '-overlay', join(folder, 'overlay.json'), '-o', changed, './examples/board'], { cwd: root, stdio: 'inherit' })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const check = (binary: string) =>
  spawnSync(binary, ['makefrontend', '--check', '--db', join(folder, 'board.db')], { cwd: root, encoding: 'utf8' })

test('the generated files are those of the declarations', () => {
  expect(check(inject('binary')).status).toBe(0)
})

test('a new field is told as a difference, and fails the check', () => {
  const { status, stdout, stderr } = check(changed)
  expect(status).toBe(1)
  expect(stdout + stderr).toMatch(/^\+ {2}readonly colour: string$/m)
})
