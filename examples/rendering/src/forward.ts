import { request as ask, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { tokenOf } from './login.js'

/**
 * The headers for the Go app: the token of the cookie as it expects it. `host`
 * stays the browser's, which the app compares with `origin`.
 */
function headersFor(request: IncomingMessage): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...request.headers }
  delete headers.cookie
  const token = tokenOf(request)
  if (token !== undefined) headers.authorization = `Token ${token}`
  return headers
}

/** The path below the Go app of one below `/live/` here. */
function pathFor(backend: URL, request: IncomingMessage): string {
  return backend.pathname + (request.url ?? '').slice('/live/'.length)
}

/** Passes a request on to the Go app, and its answer back. */
export function forward(backend: URL, request: IncomingMessage, response: ServerResponse): void {
  const { hostname, port } = backend
  const onward = ask({ hostname, port, method: request.method, path: pathFor(backend, request), headers: headersFor(request) }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  })
  request.pipe(onward)
}

/** Passes a WebSocket on to the Go app. */
export function forwardUpgrade(backend: URL, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (request.url?.startsWith('/live/') !== true) {
    socket.destroy()
    return
  }
  const onward = connect(Number(backend.port), backend.hostname)
  const end = () => {
    onward.destroy()
    socket.destroy()
  }
  for (const stream of [onward, socket]) stream.on('error', end).on('close', end)
  const lines = Object.entries(headersFor(request)).map(([name, value]) => `${name}: ${String(value)}`)
  onward.write([`GET ${pathFor(backend, request)} HTTP/1.1`, ...lines, '', ''].join('\r\n'))
  onward.write(head)
  socket.pipe(onward).pipe(socket)
}
