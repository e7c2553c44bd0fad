import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join, normalize } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { forward, forwardUpgrade } from './forward.js'
import { login, loginForm, tokenOf } from './login.js'
import { render } from './render.js'

/** Where the Go app is: the quickstart's, by default. */
const backend = new URL(process.env.BACKEND ?? 'http://127.0.0.1:8080/live/')
const [host = '127.0.0.1', port = '3000'] = (process.env.ADDR ?? '127.0.0.1:3000').split(':')
const built = fileURLToPath(new URL('../browser/', import.meta.url))
const template = readFileSync(join(built, 'index.html'), 'utf8')

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error)
    if (!response.headersSent) send(response, 502, 'text/plain', 'The page could not be made.\n')
    else response.destroy()
  })
})
server.on('upgrade', (request, socket, head) => {
  forwardUpgrade(backend, request, socket, head)
})
server.listen(Number(port), host, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on http://${address.address}:${address.port}`)
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname.startsWith('/live/')) {
    forward(backend, request, response)
  } else if (pathname.startsWith('/assets/')) {
    asset(pathname, response)
  } else if (pathname === '/login' && request.method === 'POST') {
    await login(backend, new URLSearchParams(await text(request)), response)
  } else {
    await page(pathname, request, response)
  }
}

/** Sends the page of a project, or asks who it is first. */
async function page(pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = tokenOf(request)
  const projectId = /^\/projects\/(\d+)$/.exec(pathname)?.[1]
  if (token === undefined) send(response, 401, 'text/html', loginForm(''))
  else if (projectId === undefined) response.writeHead(303, { location: '/projects/7' }).end()
  else {
    const { status, html, embedded } = await render(backend, token, projectId)
    // In JSON "<" stands in strings alone; there it may be written so that it ends no script.
    const state = JSON.stringify(embedded).replaceAll('<', '\\u003c')
    send(response, status, 'text/html', template.replace('<!--page-->', () => html).replace('<!--state-->', () => state))
  }
}

function asset(pathname: string, response: ServerResponse): void {
  try {
    const body = readFileSync(join(built, normalize(pathname)))
    send(response, 200, pathname.endsWith('.js') ? 'text/javascript' : 'application/octet-stream', body)
  } catch {
    send(response, 404, 'text/plain', 'No such file.\n')
  }
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(body)
}
