import { defineConfig } from 'tsdown'

/** The store alone, for the benchmark: the package does not export it. */
export default defineConfig({
  cwd: '..',
  entry: ['src/store.ts'],
  format: 'esm',
  outDir: 'dist/bench',
  minify: true,
  tsconfig: '../../tsconfig.json',
  outExtensions: () => ({ js: '.js' }),
})
