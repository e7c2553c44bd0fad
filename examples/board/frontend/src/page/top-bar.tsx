import { useChannel } from '@pando-sync/react'
import { UserChannel } from '../live/board.channels.js'
import type { BoardTitle } from '../live/board.interfaces.js'
import { Composer } from '../ui/composer.js'
import { ConnectionBadge } from '../ui/connection-badge.js'
import { Leaf } from '../ui/leaf.js'
import { ThemeToggle } from '../ui/theme.js'
import { useAttempt } from '../ui/toast.js'
import { boardPath, follow, navigate } from './address.js'

interface Props {
  readonly userId: string
  /** Of the user, once it is known. */
  readonly name: string | undefined
  readonly boards: readonly BoardTitle[]
  readonly boardId: string | undefined
  readonly onLeave: () => void
}

/** The boards of the user, the connection, and the way out. */
export function TopBar({ userId, name, boards, boardId, onLeave }: Props) {
  const { actions } = useChannel(UserChannel.with({ userId }))
  const attempt = useAttempt()
  const add = (name: string) =>
    attempt(async () => {
      navigate(boardPath(String(await actions.addBoard(name))))
    }, 'name')
  return (
    <header className="top-bar">
      <p className="brand">
        <Leaf /> Pando
      </p>
      <nav className="boards" aria-label="Boards">
        {boards.map((board) => (
          <BoardLink key={board.id} board={board} current={board.id === boardId} />
        ))}
        <Composer label="New board" placeholder="Name of the board" submit="Add" maxLength={80} onAdd={add} />
      </nav>
      <div className="top-end">
        <ConnectionBadge />
        <ThemeToggle />
        <button type="button" className="button quiet small" onClick={onLeave} title={name === undefined ? undefined : `Logged in as ${name}`}>
          Log out
        </button>
      </div>
    </header>
  )
}

function BoardLink({ board, current }: { readonly board: BoardTitle; readonly current: boolean }) {
  return (
    <a href={boardPath(board.id)} onClick={follow} aria-current={current ? 'page' : undefined}>
      {board.name}
    </a>
  )
}
