import type { Client } from '@pando-sync/client'
import { createContext, useContext, useMemo, type ReactNode } from 'react'
import type { Holds } from './hold.js'

/** What hooks find in the nearest provider. */
interface Provided {
  readonly client: Client
  /** The streams that suspended renders wait for, by `Channel.key`. */
  readonly holds: Holds
}

const ClientContext = createContext<Provided | undefined>(undefined)

/** Gives the client to the hooks below it. The app makes the client, and closes it. */
export function PandoProvider({ client, children }: { readonly client: Client; readonly children?: ReactNode }) {
  const provided = useMemo<Provided>(() => ({ client, holds: new Map() }), [client])
  return <ClientContext.Provider value={provided}>{children}</ClientContext.Provider>
}

/**
 * The client of the nearest provider.
 *
 * @throws Error outside of a provider.
 */
export function useClient(): Client {
  return useProvided().client
}

/** What the nearest provider has. */
export function useProvided(): Provided {
  const provided = useContext(ClientContext)
  if (provided === undefined) throw new Error('useClient: no client here; wrap the app in <PandoProvider client={…}>')
  return provided
}

/**
 * Where a first render reads: on a server the client itself, in the browser
 * what it was hydrated with, so that both render the same whatever has come
 * since. Without either, a first render shows nothing.
 */
export function firstOf(client: Client): Pick<Client, 'get'> | undefined {
  return client.hydrated ?? (typeof document === 'undefined' ? client : undefined)
}
