import { PandoError, type Id } from '@pando-sync/client'
import { createTestClient, type TestClient } from '@pando-sync/client/testing'
import { act, cleanup, render, screen } from '@testing-library/react'
import { StrictMode } from 'react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KanbanChannel, type Card } from '../../client/test/kanban.js'
import { PandoProvider, useChannelState, useWrite } from '../src/index.js'
import { settle } from './harness.js'

const channel = KanbanChannel.with({ kanbanId: 1 })

let client: TestClient

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  client = createTestClient()
  client.push(channel, { id: '1', name: 'Kitchen', lists: [{ id: '3', name: 'To buy', cards: [{ id: '7', title: 'Milk' }] }] })
})
afterEach(() => {
  cleanup()
  client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function Page() {
  const { state } = useChannelState(channel)
  return state?.lists.flatMap((list) => [
    <Adder key={list.id} list={list.id} />,
    ...list.cards.map((card) => <Title key={client.get(channel).keyOf(card)} card={card} />),
  ])
}

function Title({ card }: { readonly card: Card }) {
  const save = useWrite(channel, (handle, title: string) => handle.save(card, { title }))
  return (
    <p>
      <button onClick={() => void save.run(`${card.title}!`)}>{card.title}</button>
      {save.pending && ' saving'}
      {save.error && ` ${save.error.fields?.title ?? save.error.code}`}
    </p>
  )
}

function Adder({ list }: { readonly list: Id<'List'> }) {
  const add = useWrite(channel, (handle) => {
    const parent = handle.get().state?.lists.find(({ id }) => id === list)
    if (!parent) throw new PandoError('gone', 'the list is gone')
    return handle.create('cards', parent, { title: 'Eggs' })
  })
  return <button onClick={() => void add.run()}>Add</button>
}

async function show(): Promise<void> {
  await act(async () => {
    render(<StrictMode><PandoProvider client={client}><Page /></PandoProvider></StrictMode>)
    await settle()
  })
}

/** Presses a button, and does nothing else yet. */
const press = (name: string) => {
  act(() => {
    screen.getByRole('button', { name }).click()
  })
}

const answered = () => act(settle)

describe('useWrite', () => {
  it('shows a write at once, and that it waits to be confirmed', async () => {
    await show()
    press('Milk')
    expect(document.body.textContent).toBe('AddMilk! saving')
    await answered()
    expect(document.body.textContent).toBe('AddMilk!')
    expect(client.requests).toMatchObject([{ kind: 'save', type: 'Card', id: '7', data: { title: 'Milk!' } }])
  })

  it('shows a refusal by field, and what was there before', async () => {
    client.onWrite = () => {
      throw new PandoError('invalid', 'title: is too loud', { fields: { title: 'is too loud' } })
    }
    await show()
    press('Milk')
    await answered()
    expect(document.body.textContent).toBe('AddMilk is too loud')
    client.onWrite = undefined
    press('Milk')
    expect(document.body.textContent).toBe('AddMilk! saving')
    await answered()
    expect(document.body.textContent).toBe('AddMilk!')
  })

  it('keeps the component of a created row when it gets its key', async () => {
    await show()
    press('Add')
    const created = screen.getByRole('button', { name: 'Eggs' })
    await answered()
    expect(screen.getByRole('button', { name: 'Eggs' })).toBe(created)
  })
})
