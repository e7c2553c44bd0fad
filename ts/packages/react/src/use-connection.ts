import type { ConnectionStatus } from '@pando-sync/client'
import { useSyncExternalStore } from 'react'
import { useClient } from './provider.js'

/** The state of the connection, `idle` while rendering on a server. */
export function useConnection(): ConnectionStatus {
  const { connection } = useClient()
  return useSyncExternalStore(connection.subscribe, connection.get, () => 'idle')
}
