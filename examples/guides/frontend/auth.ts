import { createClient } from '@pando-sync/client'

export const client = createClient({
  url: '/live/ws',
  getToken: ({ rejected }) => {
    if (rejected) localStorage.removeItem('token')
    return localStorage.getItem('token')
  },
})

/** Exchanges a password for a token, and connects with it. */
export async function login(username: string, password: string): Promise<boolean> {
  const response = await fetch('/live/api/token', { method: 'POST', body: JSON.stringify({ username, password }) })
  if (!response.ok) return false
  keep(await response.json())
  client.authenticate()
  return true
}

/** Ends the token, and every connection that stands on it. */
export async function logout(): Promise<void> {
  await fetch('/live/api/token', { method: 'DELETE', headers: bearer() })
  localStorage.removeItem('token')
  client.authenticate()
}

/** Gets a token that lives longer. The old one stays good as long as it was. */
export async function refresh(): Promise<void> {
  const response = await fetch('/live/api/token/refresh', { method: 'POST', headers: bearer() })
  if (response.ok) keep(await response.json())
}

function keep(answer: unknown): void {
  localStorage.setItem('token', (answer as { token: string }).token)
}

function bearer(): Record<string, string> {
  return { Authorization: `Bearer ${localStorage.getItem('token')}` }
}
