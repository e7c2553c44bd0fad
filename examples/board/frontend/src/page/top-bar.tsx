import { useChannel } from '@pando-sync/react'
import { UserChannel } from '../live/board.channels.js'
import type { BoardTitle, Me } from '../live/board.interfaces.js'
import { Composer } from '../ui/composer.js'
import { ConnectionBadge } from '../ui/connection-badge.js'
import { Leaf } from '../ui/leaf.js'
import { ThemeToggle } from '../ui/theme.js'
import { useAttempt } from '../ui/toast.js'
import { boardPath, follow, navigate } from './address.js'

interface Props {
  readonly userId: string
  readonly me: Me | undefined
  readonly boardId: string | undefined
  readonly onLeave: () => void
}

/** The boards of the user, the connection, and the way out. */
export function TopBar({ userId, me, boardId, onLeave }: Props) {
  const { actions } = useChannel(UserChannel.with({ userId }))
  const attempt = useAttempt()
  const boards = me?.memberships.flatMap(({ board }) => board ?? []) ?? []
  const add = (name: string) =>
    attempt(async () => {
      navigate(boardPath(String(await actions.addBoard(name))))
    })
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
        <button type="button" className="button quiet small" onClick={onLeave} title={me === undefined ? undefined : `Logged in as ${me.name}`}>
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
