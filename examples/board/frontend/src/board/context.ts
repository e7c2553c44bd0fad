import { createContext, useContext } from 'react'
import type { BoardChannelActions } from '../live/board.channels.js'
import type { Attempt } from '../ui/toast.js'
import type { Seen } from './flash.js'
import type { Mover } from './mover.js'

/** What every part of a board needs; it does not change while the board is shown. */
export interface BoardTools {
  readonly actions: BoardChannelActions
  readonly attempt: Attempt
  readonly mover: Mover
  readonly seen: Seen
  /** Shows a card with its comments. */
  readonly open: (cardId: string) => void
}

export const BoardContext = createContext<BoardTools | undefined>(undefined)

/** @throws Error outside of a board. */
export function useBoard(): BoardTools {
  const tools = useContext(BoardContext)
  if (tools === undefined) throw new Error('useBoard: there is no board around this')
  return tools
}
