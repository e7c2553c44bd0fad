import { transformAsync } from '@babel/core'
import { defineConfig } from 'vite'

/** React Compiler, which fails the build where it finds something that it cannot compile. */
const compiler = {
  name: 'react-compiler',
  enforce: 'pre',
  async transform(code, id) {
    if (!id.endsWith('.tsx')) return undefined
    const { code: compiled, map } = await transformAsync(code, {
      filename: id,
      babelrc: false,
      configFile: false,
      sourceMaps: true,
      parserOpts: { plugins: ['typescript', 'jsx'] },
      plugins: [['babel-plugin-react-compiler', { panicThreshold: 'all_errors' }]],
    })
    return { code: compiled, map }
  },
}

export default defineConfig({ plugins: [compiler] })
