import { join } from 'node:path'
import { defineConfig } from 'vite'

const { LIVE = join(import.meta.dirname, 'live') } = process.env

export default defineConfig({
  build: { chunkSizeWarningLimit: 1_000 }, // React's own checks are large
  resolve: {
    alias: [{ find: /^\.\/live/, replacement: LIVE }],
    // The classes of another release stand in a folder that has no packages.
    dedupe: ['@pando-sync/client'],
  },
})
