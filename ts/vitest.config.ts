import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url))

export default defineConfig({
  resolve: { alias: { '@pando-sync/client': source('client'), '@pando-sync/react': source('react') } },
  test: {
    include: ['packages/*/test/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    typecheck: { enabled: true, include: ['packages/*/test/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
  },
})
