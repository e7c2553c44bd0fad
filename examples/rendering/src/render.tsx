import { createClient } from '@pando-sync/client'
import { dehydrate, preload } from '@pando-sync/client/hydrate'
import { PandoProvider } from '@pando-sync/react'
import { StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { ProjectChannel } from '../../quickstart/frontend/live/quickstart.channels.js'
import { Page } from './page.js'

/** A page as the server sends it. */
export interface Rendered {
  readonly status: 200 | 403 | 502
  readonly html: string
  /** What the browser goes on from. */
  readonly embedded: unknown
}

/**
 * Renders the page of a project as one user sees it. The client is this
 * request's own, so that nobody is shown what another one may see.
 */
export async function render(url: URL, token: string, projectId: string): Promise<Rendered> {
  const client = createClient({ url: new URL('ws', url), getToken: () => token })
  try {
    const { status } = await preload(client, ProjectChannel.with({ projectId }))
    // Nothing can come between these two: what is embedded is what was rendered.
    const html = renderToString(
      <StrictMode>
        <PandoProvider client={client}>
          <Page projectId={projectId} />
        </PandoProvider>
      </StrictMode>,
    )
    const embedded = { projectId, state: dehydrate(client) }
    return { status: status === 'live' ? 200 : status === 'denied' ? 403 : 502, html, embedded }
  } finally {
    client.close()
  }
}
