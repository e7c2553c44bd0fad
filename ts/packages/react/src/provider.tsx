import type { Client } from '@pando-sync/client'
import { createContext, useContext, type ReactNode } from 'react'

const ClientContext = createContext<Client | undefined>(undefined)

/** Gives the client to the hooks below it. The app makes the client, and closes it. */
export function PandoProvider({ client, children }: { readonly client: Client; readonly children?: ReactNode }) {
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>
}

/**
 * The client of the nearest provider.
 *
 * @throws Error outside of a provider.
 */
export function useClient(): Client {
  const client = useContext(ClientContext)
  if (client === undefined) throw new Error('useClient: no client here; wrap the app in <PandoProvider client={…}>')
  return client
}
