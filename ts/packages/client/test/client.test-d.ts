import { describe, expectTypeOf, it } from 'vitest'
import { createClient, type Handle, type Id, type Int, type Loading, type Snapshot } from '../src/index.js'
import { instanceOf } from '../src/instance.js'
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
