import { useChannelState, useConnection, useSystemMessage } from '@pando-sync/react'
import { useEffect } from 'react'
import { BoardView } from '../board/board-view.js'
import { Skeleton } from '../board/skeleton.js'
import { UserChannel } from '../live/board.channels.js'
import { Notice } from '../ui/notice.js'
import { boardPath, navigate, useBoardId } from './address.js'
import { TopBar } from './top-bar.js'

interface Props {
  readonly userId: string
  readonly onLeave: () => void
}

/** The user's boards, and the one that the address names. */
export function Workspace({ userId, onLeave }: Props) {
  const me = useChannelState(UserChannel.with({ userId }))
  const connection = useConnection()
  const boardId = useBoardId()
  const boards = me.state?.memberships.flatMap(({ board }) => board ?? []) ?? []
  const first = boards[0]?.id

  useEffect(() => {
    if (boardId === undefined && first !== undefined) navigate(boardPath(first), 'replace')
  }, [boardId, first])

  if (connection === 'needs-auth') return <Expired onLeave={onLeave} />
  return (
    <div className="workspace">
      <TopBar userId={userId} name={me.state?.name} boards={boards} boardId={boardId} onLeave={onLeave} />
      <SystemMessage />
      <main>
        {boardId === undefined ? (
          <NoBoard waiting={me.status === 'pending'} />
        ) : (
          <BoardView key={boardId} boardId={boardId} userId={userId} member={boards.some(({ id }) => id === boardId)} />
        )}
      </main>
    </div>
  )
}

/** What the server tells everyone: above the page, which stays where it is. */
function SystemMessage() {
  const message = useSystemMessage()
  return (
    <p className="system-message" role="status" data-kind={message?.kind}>
      {message?.text}
    </p>
  )
}

function NoBoard({ waiting }: { readonly waiting: boolean }) {
  if (waiting) return <Skeleton />
  return <Notice title="No board yet">Make one with the button above, or have somebody invite you.</Notice>
}

function Expired({ onLeave }: { readonly onLeave: () => void }) {
  const again = (
    <button type="button" className="button primary" onClick={onLeave}>
      Log in again
    </button>
  )
  return (
    <main>
      <Notice title="You have been logged out" action={again}>
        The server does not accept this login any more.
      </Notice>
    </main>
  )
}
