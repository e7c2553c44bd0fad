import { createClient } from '@pando-sync/client'
import { PandoProvider } from '@pando-sync/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Page } from './page.js'

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element #root')
createRoot(root).render(
  <StrictMode>
    <PandoProvider client={createClient({ url: '/ws' })}>
      <Page />
    </PandoProvider>
  </StrictMode>,
)
