import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('./packages', import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@pando-sync\/(client|react)$/, replacement: `${packages}/$1/src/index.ts` },
      { find: /^@pando-sync\/(client|react)\/(.+)$/, replacement: `${packages}/$1/src/$2` },
    ],
  },
  test: {
    include: ['packages/*/test/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    typecheck: { enabled: true, include: ['packages/*/test/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
  },
})
