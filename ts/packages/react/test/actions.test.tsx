import { PandoError } from '@pando-sync/client'
import { act } from '@testing-library/react'
import { describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import type { FakeSocket, Received } from '../../client/test/fake-server.js'
import { useAction, useRuntimeState, type RunResult } from '../src/index.js'
import { pages, settle } from './harness.js'

const page = pages()

describe('useAction', () => {
  let run: (name: string) => Promise<RunResult<void>>
  let reset: () => void
  const runs = new Set<unknown>()

  function Rename({ id = '1', prefix = '' }: { readonly id?: string; readonly prefix?: string }) {
    const rename = useAction(BoardChannel.with({ boardId: id }), (actions) => (name: string) => actions.rename(prefix + name))
    useRuntimeState(BoardChannel.with({ boardId: id }))
    ;({ run, reset } = rename)
    runs.add(run)
    return `${rename.pending ? 'pending' : 'still'} ${rename.error?.code ?? 'fine'}`
  }

  /** Runs the action; what comes of it. */
  async function start(name: string): Promise<{ result?: RunResult<void> }> {
    const outcome: { result?: RunResult<void> } = {}
    await act(async () => {
      void run(name).then((result) => (outcome.result = result))
      await settle()
    })
    return outcome
  }

  async function answer(socket: FakeSocket, request: Received, payload: object): Promise<void> {
    await act(async () => {
      socket.reply(request, payload)
      await settle()
    })
  }

  const refusal = { type: 'error', code: 'invalid', message: 'a board needs a name', retry: false }

  it('is pending until the last of several runs has ended, and tells each its own outcome', async () => {
    page().render(<Rename />)
    const socket = await page().serve()
    expect(page().text).toBe('still fine')
    const first = await start('A')
    const second = await start('')
    const [a, b] = socket.of('action')
    expect(page().text).toBe('pending fine')
    await answer(socket, b, refusal)
    expect(page().text).toBe('pending invalid')
    expect(second.result?.error).toBeInstanceOf(PandoError)
    expect(second.result).toMatchObject({ ok: false, error: { code: 'invalid' } })
    expect(first.result).toBeUndefined()
    await answer(socket, a, { type: 'result', value: null })
    expect(first.result).toEqual({ ok: true, value: null })
    expect(page().text).toBe('still invalid')
  })

  it('forgets the error when another run begins, and on reset', async () => {
    page().render(<Rename />)
    const socket = await page().serve()
    await start('')
    await answer(socket, socket.of('action')[0], refusal)
    expect(page().text).toBe('still invalid')
    await start('B')
    expect(page().text).toBe('pending fine')
    act(() => {
      reset()
    })
    await answer(socket, socket.of('action')[1], refusal)
    expect(page().text).toBe('still fine') // it began before the reset
    await start('')
    await answer(socket, socket.of('action')[2], refusal)
    expect(page().text).toBe('still invalid')
    act(() => {
      reset()
    })
    expect(page().text).toBe('still fine')
  })

  it('calls what was rendered last, by one function for one channel', async () => {
    runs.clear()
    const { rerender } = page().render(<Rename />)
    const socket = await page().serve()
    rerender(<Rename prefix="The " />)
    expect(runs.size).toBe(1)
    await start('board')
    expect(socket.of('action')[0].payload).toMatchObject({ args: ['The board'] })
    rerender(<Rename id="2" />)
    expect(page().text).toBe('still fine') // the other board's run is none of its own
    expect(runs.size).toBe(2)
  })

  it('goes on after unmounting', async () => {
    const complain = vi.spyOn(console, 'error')
    const { unmount } = page().render(<Rename />)
    const socket = await page().serve()
    const outcome = await start('A')
    unmount()
    await answer(socket, socket.of('action')[0], { type: 'result', value: null })
    expect(outcome.result).toEqual({ ok: true, value: null })
    expect(complain).not.toHaveBeenCalled()
    complain.mockRestore()
  })

  it('is refused while offline, without an unhandled rejection', async () => {
    page().render(<Rename />)
    const socket = await page().serve()
    act(() => {
      socket.drop(1006)
    })
    const outcome = await start('A')
    expect(outcome.result).toMatchObject({ ok: false, error: { code: 'offline' } })
    expect(page().text).toBe('still offline')
  })

  it('passes on what is no refusal', async () => {
    function Broken() {
      ;({ run } = useAction(BoardChannel.with({ boardId: 1 }), () => () => Promise.reject<undefined>(new TypeError('a bug'))))
      return null
    }
    page().render(<Broken />)
    await act(async () => {
      await expect(run('A')).rejects.toThrow('a bug')
    })
  })
})

describe('useRuntimeState', () => {
  const rendered = vi.fn()

  function Viewers({ parity = false }: { readonly parity?: boolean }) {
    const channel = BoardChannel.with({ boardId: 1 })
    const runtime = useRuntimeState(channel)
    const even = useRuntimeState(parity ? channel : 'skip', ({ viewers }) => ({ even: viewers % 2 === 0 }))
    return `${runtime?.viewers ?? 'nobody'} ${even === undefined ? 'unknown' : String(even.even)}`
  }

  const tell = async (set: object) => {
    await act(async () => {
      page().server.socket.say('s1', { type: 'runtime', set })
      await settle()
    })
  }

  it('follows the values of the stream, or what it picks of them', async () => {
    const { rerender } = page().render(<Viewers />)
    expect(page().text).toBe('nobody unknown')
    const socket = await page().serve()
    await tell({ viewers: 2 })
    expect(page().text).toBe('2 unknown')
    rerender(<Viewers parity />)
    expect(page().text).toBe('2 true')
    expect(socket.of('open')).toHaveLength(1)
  })

  it('renders again only when what it picks differs', async () => {
    function Even() {
      const even = useRuntimeState(BoardChannel.with({ boardId: 1 }), ({ viewers }) => ({ even: viewers % 2 === 0 }))
      rendered()
      return String(even?.even)
    }
    page().render(<Even />)
    await page().serve()
    await tell({ viewers: 2 })
    expect(page().text).toBe('true')
    rendered.mockClear()
    await tell({ viewers: 4 })
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    expect(rendered).not.toHaveBeenCalled()
    await tell({ viewers: 5 })
    expect(page().text).toBe('false')
  })
})
