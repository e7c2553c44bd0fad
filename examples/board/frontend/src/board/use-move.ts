import { useEffect, useLayoutEffect, useMemo, useState } from 'react'
import type { List } from '../live/board.interfaces.js'
import type { Attempt } from '../ui/toast.js'
import { arrange } from './arrange.js'
import type { BoardHandle } from './context.js'
import { Mover, type Move } from './mover.js'

/**
 * Moves the cards of a board. `shown` are the lists with the card that the
 * keyboard has lifted where it would be put; once it is dropped, the state has
 * it there.
 */
export function useMove(lists: readonly List[], handle: BoardHandle, attempt: Attempt) {
  const [move, setMove] = useState<Move>()
  const [announcement, announce] = useState('')
  const mover = useMemo(() => new Mover({ handle, attempt, show: setMove, announce }), [handle, attempt])
  useLayoutEffect(() => {
    mover.see(lists)
  }, [mover, lists])
  // After the effects of the cards below, which have kept the focus once more.
  useEffect(() => {
    if (move?.phase === 'over') mover.forget(move)
  }, [move, mover])
  const shown = useMemo(() => {
    return move?.phase === 'lifted' && move.by === 'keyboard' ? arrange(lists, move.card.id, move.place) : lists
  }, [lists, move])
  return { shown, move, announcement, mover }
}
