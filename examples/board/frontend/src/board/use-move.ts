import { useEffect, useLayoutEffect, useMemo, useState } from 'react'
import type { BoardChannelActions } from '../live/board.channels.js'
import type { List } from '../live/board.interfaces.js'
import type { Attempt } from '../ui/toast.js'
import { arrange } from './arrange.js'
import { Mover, type Move } from './mover.js'

/**
 * Moves the cards of a board. `shown` are the lists as they will be when the
 * move is done; the state itself is changed by nobody but the server.
 */
export function useMove(lists: readonly List[], actions: BoardChannelActions, attempt: Attempt) {
  const [move, setMove] = useState<Move>()
  const [announcement, announce] = useState('')
  const mover = useMemo(() => new Mover({ actions, attempt, show: setMove, announce }), [actions, attempt])
  useLayoutEffect(() => {
    mover.see(lists)
  }, [mover, lists])
  // After the effects of the cards below, which have kept the focus once more.
  useEffect(() => {
    if (move?.phase === 'over') mover.forget(move)
  }, [move, mover])
  const shown = useMemo(() => {
    const arranged = move !== undefined && (move.phase === 'saving' || (move.phase === 'lifted' && move.by === 'keyboard'))
    return arranged ? arrange(lists, move.card.id, move.place) : lists
  }, [lists, move])
  return { shown, move, announcement, mover }
}
