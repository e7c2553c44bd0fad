import { dehydrate, hydrate, preload, type Dehydrated } from '@pando-sync/client/hydrate'
import { createTestClient } from '@pando-sync/client/testing'
import { PandoDevtools } from '@pando-sync/react/devtools'
import { ProjectChannel } from './live/quickstart.channels.js'

const project = ProjectChannel.with({ projectId: 7 })

/** What a server sends along with its page. */
export async function rendered(): Promise<Dehydrated> {
  const client = createTestClient()
  client.push(project, { id: '7', name: 'Analytical engine', tasks: [{ id: '1', title: 'Oil the mill' }] })
  await preload(client, project)
  return dehydrate(client)
}

/** A page with a panel. */
export function Inspected({ data }: { readonly data: Dehydrated }) {
  const client = createTestClient()
  hydrate(client, data)
  return <PandoDevtools client={client} />
}
