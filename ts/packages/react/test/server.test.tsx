// @vitest-environment node
import { createClient, type Client } from '@pando-sync/client'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Suspense, type ReactNode } from 'react'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { FakeServer, boardSnapshot } from '../../client/test/fake-server.js'
import { PandoProvider, useAction, useChannelInstance, useChannelState, useConnection, useIds, useNotices, useRuntimeState, useSystemMessage } from '../src/index.js'
import { useChannelState as useLiveState } from '../src/suspense.js'

const board = BoardChannel.with({ boardId: 1 })

let server: FakeServer
let client: Client

beforeEach(() => {
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
})
afterEach(() => {
  client.close()
})

const provided = (children: ReactNode) => <PandoProvider client={client}>{children}</PandoProvider>

/** Lets the client hold the board before anything is rendered. */
function preload(): void {
  client.get(board).subscribe(() => undefined)
  server.welcome()
  server.open('#4', boardSnapshot)
  server.socket.say('s1', { type: 'runtime', set: { viewers: 2 } })
}

function Everything() {
  const { status } = useChannelState(board)
  const { state: name } = useChannelState(board, { select: (state) => state?.name })
  const ids = useIds(board, (state) => state.cards)
  const card = useChannelInstance(board, 'Card', '7')
  const viewers = useRuntimeState(board, (runtime) => runtime.viewers)
  const { pending } = useAction(board, (actions) => actions.rename)
  useNotices(board, 'mention', () => undefined)
  return [status, name, ids?.join(), card?.title, viewers, pending, useConnection(), useSystemMessage()].map(String).join(' | ')
}

describe('on a server', () => {
  it('every hook shows what a client holds that was preloaded', () => {
    preload()
    expect(renderToString(provided(<Everything />))).toBe('live | Groceries | 7,8 | Milk | 2 | false | idle | undefined')
    expect(server.sockets).toHaveLength(1)
  })

  it('every hook is pending otherwise, and opens nothing', () => {
    expect(renderToString(provided(<Everything />))).toBe('pending | undefined | undefined | undefined | undefined | false | idle | undefined')
    expect(server.sockets).toHaveLength(0)
  })

  function Live() {
    return <p>{useLiveState(board).state?.name}</p>
  }
  const waiting = <Suspense fallback="waiting"><Live /></Suspense>

  it('the suspense entry renders at once what was preloaded', () => {
    preload()
    expect(renderToString(provided(waiting))).toContain('<p>Groceries</p>')
  })

  it('the suspense entry waits for the state after what is around it is ready', async () => {
    const pieces = new PassThrough()
    await new Promise<void>((ready) => {
      const { pipe } = renderToPipeableStream(provided(waiting), { onShellReady: ready })
      pipe(pieces)
    })
    server.welcome()
    server.open('#4', boardSnapshot)
    const html = await text(pieces)
    expect(html).toContain('<p>Groceries</p>')
    expect(server.socket.of('open')).toHaveLength(1)
  })

  it('a denial ends in what React sends for a part that failed', async () => {
    const pieces = new PassThrough()
    const failed = vi.fn<(error: unknown) => void>()
    renderToPipeableStream(provided(waiting), { onError: failed }).pipe(pieces)
    await expect.poll(() => server.sockets.length).toBe(1)
    const socket = server.welcome()
    socket.reply(socket.of('open')[0], { type: 'error', code: 'denied', message: 'no', retry: false })
    expect(await text(pieces)).not.toContain('<p>')
    expect(failed.mock.calls[0]?.[0]).toMatchObject({ code: 'denied' })
  })
})
