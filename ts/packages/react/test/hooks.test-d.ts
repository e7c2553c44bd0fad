import { Channel, type ChannelSpec, type Id, type Loading, type PandoError } from '@pando-sync/client'
import { describe, expectTypeOf, it } from 'vitest'
import { BoardChannel, type Board, type BoardChannelActions, type BoardChannelRuntime, type BoardChannelTypes, type Card } from '../../client/test/board.js'
import { useAction, useChannel, useChannelInstance, useChannelState, useIds, useRuntimeState, useWrite, type RunResult } from '../src/index.js'
import { useChannelState as useLiveState } from '../src/suspense.js'

const ref = BoardChannel.with({ boardId: 1 })

interface BoardChannelWrites {
  Card: { save: { readonly title?: string }; create: { readonly title?: string }; in: { Board: 'cards' }; delete: true }
}

class WritableBoard extends Channel<Board | null, BoardChannelTypes, BoardChannelActions, BoardChannelRuntime, BoardChannelWrites> {
  static with(args: { boardId: number }): WritableBoard {
    return new WritableBoard({} as ChannelSpec, args)
  }
}

describe('types of the hooks', () => {
  it('narrow by status, and carry state in every arm', () => {
    const board = useChannelState(ref)
    expectTypeOf(board.state).toEqualTypeOf<Board | null | undefined>()
    if (board.status === 'live') {
      expectTypeOf(board.state).toEqualTypeOf<Board | null>()
      expectTypeOf(board.runtimeState).toEqualTypeOf<BoardChannelRuntime>()
    }
    if (board.status === 'pending') expectTypeOf(board.state).toEqualTypeOf<undefined>()
    if (board.status === 'pending') expectTypeOf(board.loading).toEqualTypeOf<Loading<Board | null> | undefined>()
    if (board.status === 'denied') expectTypeOf(board.error).toEqualTypeOf<PandoError>()
  })

  it('follow select and the instance type', () => {
    const names = useChannelState(ref, { select: (board) => board?.cards.map((c) => c.title) ?? [] })
    if (names.status === 'live') expectTypeOf(names.state).toEqualTypeOf<string[]>()
    expectTypeOf(useChannelInstance(ref, 'Card', '7')).toEqualTypeOf<Card | undefined>()
    expectTypeOf(useIds(ref, (board) => board.cards)).toEqualTypeOf<readonly Id<'Card'>[] | undefined>()
    // @ts-expect-error there is no such type
    useChannelInstance(ref, 'Crad', '7')
  })

  it('follow actions and writes by what they take and give', () => {
    const move = useAction(ref, (actions) => actions.moveCard)
    expectTypeOf(move.run).parameters.toEqualTypeOf<Parameters<BoardChannelActions['moveCard']>>()
    expectTypeOf(move.run).returns.resolves.toEqualTypeOf<RunResult<number>>()
    expectTypeOf(move.error).toEqualTypeOf<PandoError | undefined>()

    const board = WritableBoard.with({ boardId: 1 })
    const save = useWrite(board, (handle, card: Card, title: string) => handle.save(card, { title }))
    expectTypeOf(save.run).parameters.toEqualTypeOf<[card: Card, title: string]>()
    expectTypeOf(save.run).returns.resolves.toEqualTypeOf<RunResult<void>>()
    const create = useWrite(board, (handle, parent: Board) => handle.create('cards', parent, { title: 'New' }))
    expectTypeOf(create.run).returns.resolves.toEqualTypeOf<RunResult<Id<'Card'>>>()
    expectTypeOf(useChannel(board)).toHaveProperty('save')
    expectTypeOf(useChannel(ref)).not.toHaveProperty('save')
    // @ts-expect-error a card has no such field
    useWrite(board, (handle, card: Card) => handle.save(card, { name: '' }))
  })

  it('follow runtime state, and need no undefined where they suspend', () => {
    expectTypeOf(useRuntimeState(ref)).toEqualTypeOf<BoardChannelRuntime | undefined>()
    expectTypeOf(useRuntimeState(ref, ({ viewers }) => viewers > 1)).toEqualTypeOf<boolean | undefined>()
    expectTypeOf(useLiveState(ref).state).toEqualTypeOf<Board | null>()
    expectTypeOf(useLiveState(ref).status).toEqualTypeOf<'live'>()
    expectTypeOf(useLiveState(ref, { select: (board) => board?.name ?? '' }).state).toEqualTypeOf<string>()
    // @ts-expect-error there is always something to wait for
    useLiveState('skip')
  })
})
