import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// "npm run dev" takes the page from Vite and everything else from the server.
const server = 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/api': server, '/state': server, '/ws': { target: server, ws: true } } },
})
