import { defineConfig } from 'tsdown'

const common = {
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  minify: true,
  dts: true,
  sourcemap: false,
  tsconfig: '../../tsconfig.json',
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
} as const

export default defineConfig([
  { ...common, entry: ['src/index.ts'] },
  // What not every page needs takes the core from the package's own entry, so that it stays one file.
  {
    ...common,
    entry: ['actions', 'writes', 'places', 'streams', 'instance', 'hydrate', 'testing', 'devtools'].map((name) => `src/${name}.ts`),
    deps: { neverBundle: ['@pando-sync/client'] },
    hash: false,
    clean: false,
  },
  // For pages without a build step: one file that imports nothing.
  { ...common, entry: ['src/standalone.ts'], alias: { '@pando-sync/client': `${import.meta.dirname}/src/index.ts` }, clean: false },
])
