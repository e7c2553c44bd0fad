/**
 * Where the connection is:
 *
 * - `idle`: nothing has been subscribed to yet
 * - `connecting`: the first attempt, or the first since `authenticate`
 * - `online`: connected and identified
 * - `reconnecting`: lost; trying again by itself
 * - `needs-auth`: no token, or one that the server refuses; waits for `authenticate`
 * - `closed`: closed by `close`, or refused for good by the server
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'online' | 'reconnecting' | 'needs-auth' | 'closed'

/**
 * What happens to the connection:
 *
 * - `dial`: something is subscribed to, or `authenticate` was called
 * - `ready`: the server accepted the identity
 * - `drop`: the connection broke, or an attempt failed, and may be tried again
 * - `reject`: there is no token, or no acceptable one
 * - `refuse`: the server closed with a code that forbids another attempt
 * - `close`: the app is done
 */
export type ConnectionEvent = 'dial' | 'ready' | 'drop' | 'reject' | 'refuse' | 'close'

type Row = Readonly<Partial<Record<ConnectionEvent, ConnectionStatus>>>

/** A state with a connection to get ready or to lose. */
const dialled = { ready: 'online', drop: 'reconnecting', reject: 'needs-auth', refuse: 'closed', close: 'closed' } as const

/** A state without one. */
const apart = { dial: 'connecting', close: 'closed' } as const

/**
 * The state machine drawn in `spec/states.md`, section "Client connection": an
 * event that a state does not name leaves it as it is.
 */
export const transitions: Readonly<Record<ConnectionStatus, Row>> = {
  idle: apart,
  connecting: dialled,
  online: dialled,
  reconnecting: dialled,
  'needs-auth': apart,
  closed: apart,
}

/** What to do after the server closed the socket. */
export type AfterClose = 'drop' | 'reject' | 'refuse'

/** The table of close codes in `spec/protocol.md`; any other code is a broken connection. */
export function afterClose(code: number): AfterClose {
  if (code === 4401) return 'reject'
  return code === 1000 || code === 4400 || code === 4403 ? 'refuse' : 'drop'
}
