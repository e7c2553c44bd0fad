import { act } from '@testing-library/react'
import { describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { useNotices, useSystemMessage } from '../src/index.js'
import { pages, settle } from './harness.js'

const page = pages()

const say = async (stream: string, payload: object) => {
  await act(async () => {
    page().server.socket.say(stream, payload)
    await settle()
  })
}

describe('useNotices', () => {
  const heard = vi.fn<(who: string, value: unknown) => void>()

  function Mentions({ who, skip = false }: { readonly who: string; readonly skip?: boolean }) {
    useNotices(skip ? 'skip' : BoardChannel.with({ boardId: 1 }), 'mention', (value) => {
      heard(who, value)
    })
    return null
  }

  it('calls what was rendered last, once for each notice of the name, on one stream', async () => {
    const { rerender, unmount } = page().render(<Mentions who="first" />)
    const socket = await page().serve()
    await say('s1', { type: 'notice', name: 'mention', value: { by: 'Ada' } })
    await say('s1', { type: 'notice', name: 'other', value: 1 })
    expect(heard.mock.calls).toEqual([['first', { by: 'Ada' }]])
    rerender(<Mentions who="second" />)
    await say('s1', { type: 'notice', name: 'mention', value: null })
    expect(heard.mock.calls.slice(1)).toEqual([['second', null]])
    expect(socket.of('open')).toHaveLength(1)
    unmount()
    await say('s1', { type: 'notice', name: 'mention', value: null })
    await page().pass(1_000)
    expect(heard).toHaveBeenCalledTimes(2)
    expect(socket.of('close')).toHaveLength(1)
  })

  it('opens nothing for skip', () => {
    page().render(<Mentions who="nobody" skip />)
    expect(page().server.sockets).toHaveLength(0)
  })
})

describe('useSystemMessage', () => {
  it('shows what everyone was told last', async () => {
    function Message() {
      const message = useSystemMessage()
      useNotices(BoardChannel.with({ boardId: 1 }), 'any', () => undefined)
      return message ? `${message.kind}: ${message.text}` : 'nothing'
    }
    page().render(<Message />)
    await page().serve()
    expect(page().text).toBe('nothing')
    await say('@', { type: 'system', kind: 'message', text: 'Backup at noon.' })
    expect(page().text).toBe('message: Backup at noon.')
  })
})
