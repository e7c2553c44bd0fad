import { createTestClient } from '@pando-sync/client/testing'
import { act, cleanup, render, screen } from '@testing-library/react'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { PandoProvider, useAction, useChannelState } from '../src/index.js'

vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
afterEach(cleanup)

function BoardPage() {
  const channel = BoardChannel.with({ boardId: 1 })
  const board = useChannelState(channel)
  const rename = useAction(channel, (actions) => actions.rename)
  if (board.status === 'denied') return <p>You may not see this board.</p>
  if (board.status !== 'live') return <p>Loading…</p>
  return (
    <>
      <button onClick={() => void rename.run('Weekly')}>Rename</button>
      {board.state?.cards.map(({ id, title }) => <p key={id}>{title}</p>)}
    </>
  )
}

// The README has this test as it is here.
it('shows the cards, and renames the board', async () => {
  const client = createTestClient()
  const board = BoardChannel.with({ boardId: 1 })
  const rename = vi.fn<(name: string) => undefined>()
  client.respond(board, 'rename', rename)
  client.push(board, { id: '1', name: 'Groceries', cards: [{ id: '7', title: 'Milk' }] })
  render(<PandoProvider client={client}><BoardPage /></PandoProvider>)
  await screen.findByText('Milk')

  await act(async () => {
    screen.getByRole('button', { name: 'Rename' }).click()
    await vi.waitFor(() => {
      expect(rename).toHaveBeenCalledWith('Weekly')
    })
  })

  act(() => {
    client.deny(board, 'denied')
  })
  screen.getByText('You may not see this board.')
})

it('is what the README says', () => {
  const read = (name: string) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8')
  const blocks = read('../README.md').split('```tsx\n').slice(1).map((block) => block.split('```')[0])
  const test = blocks.find((block) => block.startsWith('it('))
  expect(test).toBeDefined()
  expect(read('readme.test.tsx')).toContain(test)
})
