import type { Id, Loading, PandoError } from '@pando-sync/client'
import { describe, expectTypeOf, it } from 'vitest'
import { BoardChannel, type Board, type BoardChannelRuntime, type Card } from '../../client/test/board.js'
import { useChannelInstance, useChannelState, useIds } from '../src/index.js'

const ref = BoardChannel.with({ boardId: 1 })

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
})
