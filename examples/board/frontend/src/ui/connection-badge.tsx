import type { ConnectionStatus } from '@pando-sync/client'
import { useConnection } from '@pando-sync/react'
import { useSyncExternalStore } from 'react'

type Tone = 'good' | 'waiting' | 'bad'

const shown: Readonly<Record<ConnectionStatus, readonly [Tone, string]>> = {
  idle: ['waiting', 'Connecting'],
  connecting: ['waiting', 'Connecting'],
  online: ['good', 'Online'],
  reconnecting: ['waiting', 'Reconnecting'],
  'needs-auth': ['bad', 'Logged out'],
  closed: ['bad', 'Offline'],
}

/** Says whether what the page shows is live. */
export function ConnectionBadge() {
  const status = useConnection()
  const network = useSyncExternalStore(subscribeNetwork, () => navigator.onLine)
  const [tone, text] = status === 'reconnecting' && !network ? shown.closed : shown[status]
  return (
    <span className="badge" data-tone={tone} data-status={status} role="status">
      {text}
    </span>
  )
}

function subscribeNetwork(listener: () => void): () => void {
  window.addEventListener('online', listener)
  window.addEventListener('offline', listener)
  return () => {
    window.removeEventListener('online', listener)
    window.removeEventListener('offline', listener)
  }
}
