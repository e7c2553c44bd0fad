import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// "npm run dev" takes the page from Vite and everything else from the server.
const server = 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [react()],
  // These know light-dark(); for older browsers it would be rewritten, and the theme could not be chosen.
  build: { target: ['chrome123', 'firefox121', 'safari17.5'] },
  server: { proxy: { '/api': server, '/state': server, '/ws': { target: server, ws: true } } },
})
