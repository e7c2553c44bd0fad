import { createClient } from '@pando-sync/client'
import { PandoProvider } from '@pando-sync/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Page } from './page.js'

/** Logs in as the board's demo user. */
async function getToken(): Promise<string> {
  const response = await fetch('/api/token', { method: 'POST', body: JSON.stringify({ username: 'ada', password: 'lovelace' }) })
  const { token } = (await response.json()) as { token: string }
  return token
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element #root')
createRoot(root).render(
  <StrictMode>
    <PandoProvider client={createClient({ url: '/ws', getToken })}>
      <Page />
    </PandoProvider>
  </StrictMode>,
)
