import { describe, expectTypeOf, it } from 'vitest'
import { createClient, type Creating, type Handle, type Id, type Int, type Loading, type Snapshot } from '../src/index.js'
import { instanceOf } from '../src/instance.js'
import { ref } from '../src/writes.js'
import { KanbanChannel, type Card as KanbanCard, type Kanban, type List as KanbanList, type User } from './kanban.js'
import {
  BoardChannel,
  type Board,
  type BoardChannelActions,
  type BoardChannelRuntime,
  type BoardChannelTypes,
  type Card,
} from './board.js'

const handle = createClient({ url: '/ws' }).get(BoardChannel.with({ boardId: 1n }))

describe('types of the client', () => {
  it('come from the generated channel', () => {
    expectTypeOf(handle).toEqualTypeOf<Handle<Board | null, BoardChannelTypes, BoardChannelActions, BoardChannelRuntime>>()
    expectTypeOf(handle.get()).toEqualTypeOf<Snapshot<Board | null, BoardChannelRuntime>>()
    expectTypeOf<(typeof handle)['actions']['moveCard']>().parameters.toEqualTypeOf<[Id<'Card'>, Int]>()
    expectTypeOf<(typeof handle)['actions']['moveCard']>().returns.resolves.toEqualTypeOf<number>()
    expectTypeOf(instanceOf(handle, 'Card', '7').get()).toEqualTypeOf<Card | undefined>()
  })

  it('keep the ids of types apart', () => {
    expectTypeOf<Id<'Card'>>().toExtend<string>()
    expectTypeOf<Id<'Card'>>().not.toExtend<Id<'Board'>>()
    // @ts-expect-error a plain string is no card's id
    void handle.actions.moveCard('7', 1)
    // @ts-expect-error the argument is missing
    BoardChannel.with({})
  })

  it('tell rows that have arrived from stubs', () => {
    const loading = {} as Loading<Board>
    expectTypeOf(loading.name).toEqualTypeOf<string>()
    const [card] = loading.cards
    expectTypeOf(card.id).toEqualTypeOf<Id<'Card'>>()
    // @ts-expect-error it may be a stub
    expectTypeOf(card.title)
    if (card._loaded !== false) expectTypeOf(card.title).toEqualTypeOf<string>()
  })
})

describe('types of writes', () => {
  const kanban = createClient({ url: '/ws' }).get(KanbanChannel.with({ kanbanId: 1 }))
  const card = {} as KanbanCard
  const list = {} as KanbanList
  const board = {} as Kanban

  it('take the data of the row’s type', () => {
    expectTypeOf(kanban.save(card, { title: 'x', assignee: null })).toEqualTypeOf<Promise<void>>()
    void kanban.save(card, { done: true }, { seen: { done: false } })
    void kanban.save(ref('Card', card.id), { title: 'x' }, { seen: true })
    // @ts-expect-error a list has no title
    void kanban.save(list, { title: 'x' })
    // @ts-expect-error an assignee is a user
    void kanban.save(card, { assignee: list.id })
    // @ts-expect-error users are not written
    void kanban.save({} as User, { name: 'x' })
  })

  it('create where the parent has the relation', () => {
    expectTypeOf(kanban.create('cards', list, { title: 'x' })).toEqualTypeOf<Creating<Id<'Card'>>>()
    expectTypeOf(kanban.create('lists', board, { name: 'x' }).key).toEqualTypeOf<Id<'List'>>()
    expectTypeOf(kanban.create('starred', ref('List', list.id), {})).resolves.toEqualTypeOf<Id<'Card'>>()
    // @ts-expect-error a board has no cards
    void kanban.create('cards', board, { title: 'x' })
    // @ts-expect-error nor has a list titles
    void kanban.create('lists', board, { title: 'x' })
    // @ts-expect-error the channel is no list
    void kanban.create({ title: 'x' })
  })

  it('delete what may be deleted', () => {
    expectTypeOf(kanban.delete(card)).toEqualTypeOf<Promise<void>>()
    // @ts-expect-error the board may not
    void kanban.delete(board)
  })

  it('are none where the channel offers none', () => {
    expectTypeOf(handle).not.toHaveProperty('save')
    expectTypeOf(kanban.keyOf(card)).toBeString()
  })
})
