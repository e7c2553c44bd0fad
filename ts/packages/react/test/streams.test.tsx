import { createClient, type StreamClient } from '@pando-sync/client'
import { streamsOf } from '@pando-sync/client/streams'
import { act, cleanup, render } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeServer } from '../../client/test/fake-server.js'
import { PandoProvider, useBinding, useMessages, useStream } from '../src/index.js'

const hello = { type: 'hello', protocol: 1, session: 'test', epoch: 'e1', heartbeat: 20_000, types: [], channels: {} }
const one = { pk: 1, data: { message: 'one' } }
const two = { pk: 2, data: { message: 'two' } }
let server: FakeServer
let client: StreamClient

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, streams: streamsOf() })
})

afterEach(() => {
  cleanup()
  client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const provided = (children: ReactNode) => (
  <StrictMode>
    <PandoProvider client={client}>{children}</PandoProvider>
  </StrictMode>
)

const text = () => document.body.textContent

/** Opens every stream that was asked for and not answered. */
function opened(rows: readonly object[] = [one, two]): FakeServer['socket'] {
  act(() => {
    const socket = server.welcome(hello)
    for (const open of socket.of('open')) {
      socket.reply(open, { type: 'opened', consumer: 'x', scopes: [] })
      socket.say(open.stream, { type: 'message', data: { action: 'snapshot', model: 'm', rows } })
    }
  })
  return server.socket
}

const tell = (stream: string, payload: object) => {
  act(() => {
    server.socket.say(stream, payload)
  })
}

function Messages({ at = '/rooms/1/', skip = false }: { readonly at?: string; readonly skip?: boolean }) {
  const messages = useBinding('message-stream', skip ? 'skip' : { at })
  rendered(messages)
  return (
    <p>
      {messages.status}: {messages.rows.map(({ pk }) => pk).join()}
      {messages.stale && ' (stale)'}
    </p>
  )
}

const rendered = vi.fn<(messages: ReturnType<typeof useBinding<string>>) => void>()

/** What was rendered last. */
function last() {
  const [messages] = rendered.mock.lastCall ?? []
  if (!messages) throw new Error('nothing was rendered')
  return messages
}

describe('useBinding', () => {
  it('subscribes once under StrictMode, follows the rows, and closes the stream after unmounting', () => {
    const { unmount } = render(provided([<Messages key="1" />, <Messages key="2" />]))
    expect(text()).toBe('pending: pending: ')
    const socket = opened()
    expect(text()).toBe('live: 1,2live: 1,2')
    tell('s1', { type: 'message', data: { action: 'delete', pk: 1, model: 'm' } })
    expect(text()).toBe('live: 2live: 2')
    tell('s1', { type: 'gap' })
    expect(text()).toBe('live: 2 (stale)live: 2 (stale)')
    unmount()
    vi.advanceTimersByTime(1_000)
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('message')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(1)
  })

  it('writes by functions that stay the same', async () => {
    render(provided(<Messages />))
    const socket = opened()
    const { create } = last()
    tell('s1', { type: 'message', data: { action: 'create', pk: 3, data: {}, model: 'm' } })
    expect(last().rows).toHaveLength(3)
    expect(last().create).toBe(create)
    const write = create({ message: 'four' })
    socket.reply(socket.of('message')[1], { type: 'result', value: { action: 'create', pk: 4 } })
    expect(await write).toEqual({ action: 'create', pk: 4 })
  })

  it('renders nothing again while nothing of it changes', () => {
    const { rerender } = render(provided(<Messages />))
    opened()
    const before = last()
    rerender(provided(<Messages />))
    expect(last()).toBe(before)
    rendered.mockClear()
    tell('s1', { type: 'message', data: { action: 'update', ...one, model: 'm' } })
    expect(rendered).not.toHaveBeenCalled()
  })

  it('changes streams with its path, and is denied', () => {
    const { rerender } = render(provided(<Messages />))
    opened()
    rerender(provided(<Messages at="/rooms/2/" />))
    expect(text()).toBe('pending: ')
    act(() => {
      const [, open] = server.socket.of('open')
      server.socket.reply(open, { type: 'error', code: 'denied', status: 403, message: 'no', retry: false })
    })
    expect(text()).toBe('denied: ')
  })

  it("opens nothing for 'skip', nor on a server", () => {
    render(provided(<Messages skip />))
    expect(text()).toBe('pending: ')
    expect(renderToString(provided(<Messages />))).toContain('pending')
    expect(server.sockets).toHaveLength(0)
  })

  it('says what is missing of a client without streams', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const bare = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
    const page = (
      <PandoProvider client={bare}>
        <Messages />
      </PandoProvider>
    )
    expect(() => render(page)).toThrow('the client has no streams')
    vi.restoreAllMocks()
    bare.close()
  })
})

describe('useMessages and useStream', () => {
  it("call what was rendered last with a stream's payloads, and send", async () => {
    const heard: unknown[] = []
    let chat: ReturnType<typeof useStream<string>> | undefined
    function Chat({ who, skip = false }: { readonly who: string; readonly skip?: boolean }) {
      chat = useStream('chat', { at: '/rooms/1/' })
      useMessages('chat', (payload) => heard.push([who, payload]), skip ? 'skip' : { at: '/rooms/1/' })
      return null
    }
    const { rerender } = render(provided(<Chat who="ada" />))
    const socket = opened([])
    heard.length = 0
    rerender(provided(<Chat who="bob" />))
    tell('s1', { type: 'message', data: { said: 'hello' } })
    expect(heard).toEqual([['bob', { said: 'hello' }]])
    await chat?.send({ say: 'hi' })
    expect(socket.requests.at(-1)).toEqual({ stream: 's1', payload: { type: 'message', data: { say: 'hi' } } })
    rerender(provided(<Chat who="eve" skip />))
    tell('s1', { type: 'message', data: { said: 'unheard' } })
    expect(heard).toHaveLength(1)
  })
})
