import { useChannelState } from '@pando-sync/react'
import { useEffect, useEffectEvent } from 'react'
import { BoardChannel } from '../live/board.channels.js'
import { Notice } from '../ui/notice.js'
import { follow } from '../page/address.js'
import { Board } from './board.js'
import { Skeleton } from './skeleton.js'

interface Props {
  readonly boardId: string
  readonly userId: string
  /** The board is among the user's own. */
  readonly member: boolean
}

/** A board in whatever state its channel is. */
export function BoardView({ boardId, userId, member }: Props) {
  const channel = BoardChannel.with({ boardId })
  const board = useChannelState(channel)
  const retry = useEffectEvent(() => {
    board.retry()
  })
  // Who was refused and is invited now has not to ask again.
  useEffect(() => {
    if (member) retry()
  }, [member])
  const home = (
    <a className="button" href="/" onClick={follow}>
      Go to your boards
    </a>
  )
  switch (board.status) {
    case 'pending':
      return <Skeleton />
    case 'denied':
      return (
        <Notice title="This board is not shared with you" action={home}>
          Ask its owner to invite you. It opens here as soon as you are a member.
        </Notice>
      )
    case 'error':
      return (
        <Notice
          title="The board cannot be shown"
          action={
            <button type="button" className="button primary" onClick={board.retry}>
              Try again
            </button>
          }
        >
          {board.error.message}
        </Notice>
      )
    case 'live':
      if (board.state === null) {
        return (
          <Notice title="There is no such board" action={home}>
            It may have been deleted.
          </Notice>
        )
      }
      return <Board channel={channel} board={board.state} runtime={board.runtimeState} userId={userId} stale={board.stale} />
  }
}
