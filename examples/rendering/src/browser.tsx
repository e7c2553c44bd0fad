import { createClient } from '@pando-sync/client'
import { hydrate, type Dehydrated } from '@pando-sync/client/hydrate'
import { PandoProvider } from '@pando-sync/react'
import { StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { Page } from './page.js'

/** What the server put into the page. */
interface Embedded {
  readonly projectId: string
  readonly state: Dehydrated
}

const [root, script] = ['root', 'state'].map((id) => document.getElementById(id))
if (!root || !script) throw new Error('index.html has no #root or no #state')
const { projectId, state } = JSON.parse(script.textContent) as Embedded

// The cookie says who it is: the page never sees the token.
const client = createClient({ url: '/live/ws' })
hydrate(client, state)
hydrateRoot(
  root,
  <StrictMode>
    <PandoProvider client={client}>
      <Page projectId={projectId} />
    </PandoProvider>
  </StrictMode>,
)
