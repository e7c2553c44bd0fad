import { createClient, type Client } from '@pando-sync/client'
import { act, cleanup, render, screen } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { FakeServer, boardSnapshot } from '../../client/test/fake-server.js'
import { PandoProvider, useChannel, useChannelInstance, useChannelState, useConnection, useIds } from '../src/index.js'

let server: FakeServer
let client: Client

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
})

afterEach(() => {
  cleanup()
  client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function show(children: ReactNode) {
  return render(
    <StrictMode>
      <PandoProvider client={client}>{children}</PandoProvider>
    </StrictMode>,
  )
}

function serve(): FakeServer['socket'] {
  act(() => {
    server.welcome()
    server.open('#4', boardSnapshot)
  })
  return server.socket
}

const frame = (payload: object) => {
  act(() => {
    server.socket.say('#4', payload)
  })
}

const text = () => document.body.textContent

describe('useChannelState', () => {
  function Board({ id = '1' }: { readonly id?: string }) {
    const board = useChannelState(BoardChannel.with({ boardId: id }))
    if (board.status !== 'live') return <p>{board.status}</p>
    return (
      <p>
        {board.state?.name}: {board.state?.cards.map((c) => c.title).join()}
        {board.stale && ' (stale)'}
      </p>
    )
  }

  it('opens one stream under StrictMode, follows it, and closes it after unmounting', () => {
    const { unmount } = show(<Board />)
    expect(text()).toBe('pending')
    const socket = serve()
    expect(text()).toBe('Groceries: Milk,Eggs')
    frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    expect(text()).toBe('Groceries: Oat milk,Eggs')
    act(() => {
      socket.drop(1006)
    })
    expect(text()).toBe('Groceries: Oat milk,Eggs (stale)')
    act(() => {
      vi.advanceTimersByTime(500)
    })
    act(() => {
      server.welcome()
      server.open('#8')
    })
    expect(text()).toBe('Groceries: Oat milk,Eggs')
    unmount()
    vi.advanceTimersByTime(1_000)
    expect(socket.of('open')).toHaveLength(1)
    expect(server.socket.of('close')).toHaveLength(1)
    expect(server.sockets).toHaveLength(2)
  })

  it('changes streams with its arguments', () => {
    const { rerender } = show(<Board />)
    serve()
    rerender(
      <PandoProvider client={client}>
        <Board id="2" />
      </PandoProvider>,
    )
    expect(text()).toBe('pending')
    act(() => {
      server.open('#5', { v: 1, snapshot: 'only' })
    })
    expect(text()).toBe(': ')
  })

  it('renders again only when what it selects differs', () => {
    const rendered = vi.fn()
    function Open() {
      const open = useChannelState(BoardChannel.with({ boardId: 1 }), {
        select: (board) => board?.cards.filter((c) => !c.done).map((c) => c.id) ?? [],
      })
      rendered()
      return <p>{open.state?.join()}</p>
    }
    show(<Open />)
    serve()
    expect(text()).toBe('7,8')
    rendered.mockClear()
    frame({ v: 11, upd: [[1, '7', 1, 'Oat milk'], [0, '1', 1, 'Weekly']] })
    expect(rendered).not.toHaveBeenCalled()
    frame({ v: 12, upd: [[1, '7', 2, true]] })
    expect(text()).toBe('8')
  })

  it("opens nothing for 'skip', nor on a server", () => {
    function Skipped() {
      return <p>{useChannelState('skip').status}</p>
    }
    show(<Skipped />)
    expect(text()).toBe('pending')
    const html = renderToString(
      <PandoProvider client={client}>
        <Board />
      </PandoProvider>,
    )
    expect(html).toBe('<p>pending</p>')
    expect(server.sockets).toHaveLength(0)
  })

  it('says what is missing outside of a provider', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    expect(() => render(<Board />)).toThrow('PandoProvider')
    vi.restoreAllMocks()
  })
})

describe('useIds', () => {
  const rendered = vi.fn<(ids: readonly string[] | undefined) => void>()

  function Cards({ skip = false }: { readonly skip?: boolean }) {
    const ids = useIds(skip ? 'skip' : BoardChannel.with({ boardId: 1 }), (board) => board.cards)
    rendered(ids)
    return <p>{ids?.join() ?? 'none'}</p>
  }

  it('renders again only when rows come, go or change places', () => {
    show(<Cards />)
    expect(text()).toBe('none')
    const socket = serve()
    expect(text()).toBe('7,8')
    rendered.mockClear()
    frame({ v: 11, upd: [[1, '7', 1, 'Oat milk'], [1, '8', 2, true], [0, '1', 1, 'Weekly']] })
    frame({ v: 12, upd: [[1, '7', 4, 1.5]] })
    act(() => {
      socket.drop(1006)
    })
    expect(rendered).not.toHaveBeenCalled()
    act(() => {
      vi.advanceTimersByTime(500)
    })
    act(() => {
      server.welcome()
      server.open('#4')
    })
    expect(rendered).not.toHaveBeenCalled()
    frame({ v: 13, set: [[1, ['9', 'Tea', false, '1', 0]]] })
    expect(text()).toBe('9,7,8')
    frame({ v: 14, upd: [[1, '7', 4, 5]] })
    expect(text()).toBe('9,8,7')
    frame({ v: 15, del: [[1, '8']] })
    expect(text()).toBe('9,7')
    expect(socket.of('open')).toHaveLength(1)
  })

  it('is empty for a state that is null, and opens nothing for skip', () => {
    const { rerender } = show(<Cards skip />)
    expect(server.sockets).toHaveLength(0)
    rerender(
      <PandoProvider client={client}>
        <Cards />
      </PandoProvider>,
    )
    act(() => {
      server.welcome()
      server.open('#4', { v: 1, snapshot: 'only' })
    })
    expect(text()).toBe('')
    expect(rendered).toHaveBeenLastCalledWith([])
  })
})

describe('a first snapshot in parts', () => {
  it('is rendered as it arrives', () => {
    function Board() {
      const board = useChannelState(BoardChannel.with({ boardId: 1 }))
      const { loading } = board
      return <p>{board.status + (loading ? `: ${loading.name}, ${loading.cards.length}` : '')}</p>
    }
    show(<Board />)
    const [board, ...cards] = boardSnapshot.set
    act(() => {
      server.welcome()
      server.open('#4', { v: 10, snapshot: 'first', set: [board] })
    })
    expect(text()).toBe('pending: Groceries, 0')
    frame({ v: 10, snapshot: 'more', set: cards })
    expect(text()).toBe('pending: Groceries, 2')
    frame({ v: 10, snapshot: 'last' })
    expect(text()).toBe('live')
  })
})

describe('useChannelInstance', () => {
  it('renders a row again only when it changes', () => {
    const rendered = vi.fn()
    function Card({ id }: { readonly id: string }) {
      const card = useChannelInstance(BoardChannel.with({ boardId: 1 }), 'Card', id)
      rendered(id)
      return <p>{card?.title ?? 'gone'}</p>
    }
    show([<Card key="7" id="7" />, <Card key="8" id="8" />])
    serve()
    rendered.mockClear()
    frame({ v: 11, upd: [[1, '8', 1, 'Ten eggs']] })
    expect(new Set(rendered.mock.calls.flat())).toEqual(new Set(['8']))
    frame({ v: 12, del: [[1, '7']] })
    expect(text()).toBe('goneTen eggs')
  })
})

describe('useChannel', () => {
  it('gives a stable handle with typed actions, without subscribing', () => {
    const handles = new Set<unknown>()
    function Rename() {
      const { actions } = useChannel(BoardChannel.with({ boardId: 1 }))
      handles.add(actions)
      return <button onClick={() => void actions.rename('Weekly')}>{useConnection()}</button>
    }
    const { rerender } = render(<Rename />, { wrapper: ({ children }) => <PandoProvider client={client}>{children}</PandoProvider> })
    rerender(<Rename />)
    expect(handles.size).toBe(1)
    expect(server.sockets).toHaveLength(0)
    act(() => {
      client.get(BoardChannel.with({ boardId: 1 })).subscribe(() => undefined)
    })
    expect(text()).toBe('connecting')
    serve()
    expect(text()).toBe('online')
    screen.getByRole('button').click()
    expect(server.socket.of('action')[0].payload).toMatchObject({ name: 'rename', args: ['Weekly'] })
    server.socket.reply(server.socket.of('action')[0], { type: 'result', value: null })
  })
})
