// Every entry of the packages can be imported by Node as it was packed.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
for (const name of ['@pando-sync/client', '@pando-sync/react']) {
  const { exports } = JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8'))
  for (const entry of Object.keys(exports)) {
    if (entry.endsWith('.json')) continue
    const names = Object.keys(await import(name + entry.slice(1)))
    if (names.length === 0) throw new Error(`${name}${entry.slice(1)} exports nothing`)
  }
}
