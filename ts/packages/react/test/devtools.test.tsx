import { act, screen } from '@testing-library/react'
import { renderToString } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { PandoDevtools } from '../src/devtools.js'
import { useChannelState } from '../src/index.js'
import { pages, settle } from './harness.js'

const page = pages()

function Board() {
  const board = useChannelState(BoardChannel.with({ boardId: 1 }))
  return <p>{board.state?.name}</p>
}

const press = async (role: 'button' | 'tab', name: RegExp) => {
  await act(async () => {
    screen.getByRole(role, { name }).click()
    await settle()
  })
}

/** Lets the panel draw what it has heard. */
const draw = () => page().pass(50)

describe('PandoDevtools', () => {
  it('tells how the client is, and shows streams and frames when it is unfolded', async () => {
    page().render([<Board key="board" />, <PandoDevtools key="devtools" client={page().client} />])
    await page().pass(0)
    expect(screen.queryByRole('table')).toBeNull()
    const socket = await page().serve()
    await draw()
    await press('button', /online · 1 stream$/)
    expect(screen.getByRole('row', { name: /boards\/1 BoardChannel live 10 Board 1, Card 2 1 0/ })).toBeDefined()

    await press('tab', /Frames/)
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] })
    await draw()
    const [, newest] = screen.getAllByRole('row')
    expect(newest.textContent).toContain('Oat milk')
    await press('button', /Oat milk/)
    expect(screen.getByRole('button', { name: /Oat milk/ }).textContent).toContain('\n  "stream": "#4"')

    await press('tab', /Requests/)
    expect(page().text).toContain('No write or action is under way.')
    await act(async () => {
      socket.say('@', { type: 'system', kind: 'maintenance', text: 'Back soon.', retry_after: 1_000 })
      await settle()
    })
    await draw()
    expect(screen.getByRole('status').textContent).toBe('Maintenance: Back soon.')
  })

  it('stops watching when it is unmounted', async () => {
    const { rerender } = page().render([<Board key="board" />, <PandoDevtools key="devtools" client={page().client} open />])
    await page().serve()
    rerender(<Board key="board" />)
    const drawn = vi.spyOn(globalThis, 'requestAnimationFrame')
    await page().frame({ v: 11, upd: [[0, '1', 1, 'Weekly']] })
    expect(page().text).toBe('Weekly')
    expect(drawn).not.toHaveBeenCalled()
    drawn.mockRestore()
  })

  it('renders nothing on a server', () => {
    expect(renderToString(<PandoDevtools client={page().client} open />)).toBe('')
  })
})
