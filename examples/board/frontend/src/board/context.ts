import type { Handle } from '@pando-sync/client'
import { createContext, useContext } from 'react'
import type { BoardChannel, BoardChannelActions, BoardChannelRuntime, BoardChannelTypes, BoardChannelWrites } from '../live/board.channels.js'
import type { Board, Role, User } from '../live/board.interfaces.js'
import type { Attempt } from '../ui/toast.js'
import type { Seen } from './flash.js'
import type { Mover } from './mover.js'

/** The board's channel on the connection: its actions and writes. */
export type BoardHandle = Handle<Board | null, BoardChannelTypes, BoardChannelActions, BoardChannelRuntime, BoardChannelWrites>

/** What every part of a board needs; it only changes when the user's role does. */
export interface BoardTools {
  readonly channel: BoardChannel
  readonly handle: BoardHandle
  readonly attempt: Attempt
  readonly mover: Mover
  readonly seen: Seen
  /** The user as a member, who may just have been removed. */
  readonly me: User | undefined
  readonly role: Role
  /** The role lets the user change what is on the board. */
  readonly edits: boolean
  /** Shows a card with its comments, by the key that it keeps. */
  readonly open: (cardKey: string) => void
}

export const BoardContext = createContext<BoardTools | undefined>(undefined)

/** @throws Error outside of a board. */
export function useBoard(): BoardTools {
  const tools = useContext(BoardContext)
  if (tools === undefined) throw new Error('useBoard: there is no board around this')
  return tools
}

/**
 * Whether a row was created here and is not confirmed yet: then its key is a
 * temporary one, and no number.
 */
export function isPending({ id }: { readonly id: string }): boolean {
  return !/^\d+$/.test(id)
}
