import type { SystemMessage } from '@pando-sync/client'
import { useSyncExternalStore } from 'react'
import { useClient } from './provider.js'

/** What the server last told everyone, if anything: undefined while rendering on a server. */
export function useSystemMessage(): SystemMessage | undefined {
  const { system } = useClient()
  return useSyncExternalStore(system.subscribe, system.get, () => undefined)
}
