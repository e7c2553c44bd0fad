import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: ['src/index.ts', 'src/suspense.ts', 'src/devtools.tsx'],
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  minify: true,
  dts: true,
  sourcemap: false,
  tsconfig: '../../tsconfig.json',
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
})
