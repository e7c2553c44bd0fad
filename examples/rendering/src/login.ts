import type { IncomingMessage, ServerResponse } from 'node:http'

const cookie = 'project_token'

/** The token of a request's cookie. */
export function tokenOf(request: IncomingMessage): string | undefined {
  const [, token] = new RegExp(`(?:^|; )${cookie}=([\\w.-]+)`).exec(request.headers.cookie ?? '') ?? []
  return token
}

/** Logs in at the Go app, and keeps the token in a cookie that scripts cannot read. */
export async function login(backend: URL, form: URLSearchParams, response: ServerResponse): Promise<void> {
  const answer = await fetch(new URL('api/token', backend), {
    method: 'POST',
    body: JSON.stringify({ username: form.get('username') ?? '', password: form.get('password') ?? '' }),
  })
  if (!answer.ok) {
    response.writeHead(401, { 'content-type': 'text/html; charset=utf-8' }).end(loginForm('These do not belong together.'))
    return
  }
  const { token } = (await answer.json()) as { readonly token: string }
  // Behind TLS, add "Secure".
  response.writeHead(303, { location: '/', 'set-cookie': `${cookie}=${token}; HttpOnly; SameSite=Strict; Path=/` }).end()
}

/** The page on which one logs in. */
export function loginForm(alert: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Log in</title>
<link rel="icon" href="data:,">
<form method="post" action="/login">
  <p role="alert">${alert}</p>
  <label>Username <input name="username" autocomplete="username"></label>
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Log in</button>
</form>
</html>
`
}
