import { PandoError } from '@pando-sync/client'
import { act } from '@testing-library/react'
import { Component, Suspense, startTransition, useState, type ReactNode } from 'react'
import { describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { boardSnapshot } from '../../client/test/fake-server.js'
import { useChannelState as usePlain } from '../src/index.js'
import { useChannelState } from '../src/suspense.js'
import { pages, settle } from './harness.js'

const page = pages()
const rendered = vi.fn()

function Board({ id = '1' }: { readonly id?: string }) {
  const { state, stale } = useChannelState(BoardChannel.with({ boardId: id }))
  rendered()
  return <p>{`${id}: ${state?.cards.map((c) => c.title).join() ?? 'none'}${stale ? ' (stale)' : ''}`}</p>
}

class Boundary extends Component<{ readonly children: ReactNode }, { readonly error?: PandoError }> {
  override state: { readonly error?: PandoError } = {}
  static getDerivedStateFromError(error: PandoError) {
    return { error }
  }
  override render() {
    const { error } = this.state
    if (error === undefined) return this.props.children
    const again = () => {
      page().client.get(BoardChannel.with({ boardId: '1' })).retry()
      this.setState({ error: undefined as never })
    }
    return <button onClick={again}>{error.code}</button>
  }
}

const waiting = (children: ReactNode) => <Suspense fallback="waiting">{children}</Suspense>

describe('useChannelState of the suspense entry', () => {
  it('waits for the state, follows it, and closes the stream once', async () => {
    const { unmount } = page().render(waiting(<Board />))
    expect(page().text).toBe('waiting')
    const socket = await page().serve()
    expect(page().text).toBe('1: Milk,Eggs')
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    expect(page().text).toBe('1: Oat milk,Eggs')
    await page().pass(30_000)
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(0)
    unmount()
    await page().pass(1_000)
    expect(socket.of('close')).toHaveLength(1)
  })

  it('shares the stream with every other hook', async () => {
    function Name() {
      return usePlain(BoardChannel.with({ boardId: 1 })).state?.name ?? 'no name, '
    }
    page().render([<Name key="name" />, <Suspense key="board" fallback="waiting"><Board /></Suspense>])
    expect(page().text).toBe('no name, waiting')
    const socket = await page().serve()
    expect(page().text).toBe('Groceries1: Milk,Eggs')
    expect(socket.of('open')).toHaveLength(1)
  })

  it('renders again only when what it selects differs', async () => {
    const drawn = vi.fn()
    function Open() {
      const { state } = useChannelState(BoardChannel.with({ boardId: 1 }), { select: (board) => board?.cards.filter((c) => !c.done).map((c) => c.id) ?? [] })
      drawn()
      return state.join()
    }
    page().render(waiting(<Open />))
    await page().serve()
    drawn.mockClear()
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    expect(drawn).not.toHaveBeenCalled()
    await page().frame({ v: 12, upd: [[1, '7', 2, true]] })
    expect(page().text).toBe('8')
  })

  it('keeps what is shown during a transition to other arguments', async () => {
    let go: (id: string) => void = () => undefined
    function Choice() {
      const [id, choose] = useState('1')
      go = choose
      return <Board id={id} />
    }
    page().render(waiting(<Choice />))
    const socket = await page().serve()
    await act(async () => {
      startTransition(() => {
        go('2')
      })
      await settle()
    })
    expect(page().text).toBe('1: Milk,Eggs')
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    expect(page().text).toBe('1: Oat milk,Eggs')
    await act(async () => {
      page().server.open('#5', { v: 20, snapshot: 'only', set: [[0, ['2', 'Tools']]] })
      await settle()
    })
    expect(page().text).toBe('2: ')
    expect(socket.of('open')).toHaveLength(2)
    await page().pass(1_000)
    expect(socket.of('close')).toHaveLength(1)
  })

  it('gives a denial to the error boundary, and the state after another try', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    page().render(<Boundary>{waiting(<Board />)}</Boundary>)
    await act(async () => {
      const { socket } = page().server
      page().server.welcome()
      socket.reply(socket.of('open')[0], { type: 'error', code: 'denied', message: 'no', retry: false })
      await settle()
    })
    expect(page().text).toBe('denied')
    await act(async () => {
      document.querySelector('button')?.click()
      await settle()
    })
    expect(page().text).toBe('waiting')
    await act(async () => {
      page().server.open('#4', boardSnapshot)
      await settle()
    })
    expect(page().text).toBe('1: Milk,Eggs')
    vi.restoreAllMocks()
  })

  it('gives the error of a client that was closed to the boundary at once', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    page().client.close()
    page().render(<Boundary>{waiting(<Board />)}</Boundary>)
    await page().pass(0)
    expect(page().text).toBe('closed')
    vi.restoreAllMocks()
  })

  it('closes the stream of a render that nobody came back for', async () => {
    const { unmount } = page().render(waiting(<Board />))
    const socket = page().server.welcome()
    unmount()
    await page().pass(9_000)
    expect(socket.of('close')).toHaveLength(0)
    await page().pass(2_100)
    expect(socket.of('close')).toHaveLength(1)
    expect(socket.of('open')).toHaveLength(1)
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1) // the connection's own
  })

  it('goes on waiting however long it takes, on one stream', async () => {
    page().render(waiting(<Board />))
    const socket = page().server.welcome()
    for (let beats = 0; beats < 6; beats++) {
      await page().pass(10_000)
      socket.say('@', { type: 'beat' })
      expect(page().text).toBe('waiting')
    }
    await act(async () => {
      page().server.open('#4', boardSnapshot)
      await settle()
    })
    expect(page().text).toBe('1: Milk,Eggs')
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(0)
  })

  it('opens two channels of one component one after the other, each once, though each takes seconds', async () => {
    function Both() {
      const [a, b] = ['1', '2'].map((id) => BoardChannel.with({ boardId: id }))
      const first = useChannelState(a).state
      const second = useChannelState(b).state
      return `${first?.name ?? ''} ${second?.name ?? ''}`
    }
    page().render(waiting(<Both />))
    const socket = page().server.welcome()
    for (const [scope, name] of [['#4', 'One'], ['#5', 'Two']] as const) {
      await page().pass(5_000)
      await act(async () => {
        page().server.open(scope, { v: 1, snapshot: 'only', set: [[0, [scope === '#4' ? '1' : '2', name]]] })
        await settle()
      })
    }
    expect(page().text).toBe('One Two')
    expect(socket.of('open')).toHaveLength(2)
    await page().pass(20_000)
    expect(socket.of('close')).toHaveLength(0)
  })

  it('works without a boundary between it and the root', async () => {
    page().render(<Board />)
    await page().serve()
    expect(page().text).toBe('1: Milk,Eggs')
  })

})
