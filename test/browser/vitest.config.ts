import { defineConfig } from 'vitest/config'

// "npm run screenshots" takes the pictures for docs/ instead of testing.
const include = process.env.SCREENSHOTS === undefined ? ['*.test.ts'] : ['screenshots.ts']

export default defineConfig({
  test: {
    include,
    globalSetup: 'setup.ts',
    fileParallelism: false, // one browser at a time
    testTimeout: 40_000,
    hookTimeout: 40_000,
  },
})
