import { createClient, type Client } from '@pando-sync/client'

/** Who has logged in, and the connection that acts for them. */
export interface Session {
  readonly userId: string
  readonly client: Client
  /** Forgets the token and closes the connection. */
  readonly end: () => void
}

const tokenKey = 'board.token'
const userKey = 'board.user'

/**
 * Logs in; the token lasts as long as the tab.
 *
 * @throws Error whose message is meant for the user.
 */
export async function login(username: string, password: string): Promise<Session> {
  const { token } = await request<{ token: string }>('/api/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password }),
  })
  const { id } = await request<{ id: string }>('/api/me', { headers: { Authorization: `Token ${token}` } })
  sessionStorage.setItem(tokenKey, token)
  sessionStorage.setItem(userKey, id)
  return open(token, id)
}

/** The session that this tab had before it was reloaded. */
export function restoreSession(): Session | undefined {
  const token = sessionStorage.getItem(tokenKey)
  const userId = sessionStorage.getItem(userKey)
  return token === null || userId === null ? undefined : open(token, userId)
}

function open(token: string, userId: string): Session {
  const client = createClient({
    url: '/ws',
    getToken: ({ rejected }) => {
      if (rejected) throw new Error('the token is no longer good')
      return token
    },
  })
  const end = () => {
    sessionStorage.removeItem(tokenKey)
    sessionStorage.removeItem(userKey)
    client.close()
  }
  return { userId, client, end }
}

async function request<Answer>(path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(path, init).catch(() => {
    throw new Error('The server cannot be reached. Is it running?')
  })
  if (response.ok) return (await response.json()) as Answer
  if (response.status === 401) throw new Error('This name and password do not belong together.')
  throw new Error(`The server could not log you in (${response.status}). Try again in a moment.`)
}
