import { useChannelState } from '@pando-sync/react'
import { BoardChannel } from '../live/board.channels.js'
import { Notice } from '../ui/notice.js'
import { follow } from '../page/address.js'
import { Board } from './board.js'
import { Skeleton } from './skeleton.js'

/** A board in whatever state its channel is. */
export function BoardView({ boardId }: { readonly boardId: string }) {
  const channel = BoardChannel.with({ boardId })
  const board = useChannelState(channel)
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
          Ask its owner to invite you; it will open by itself in the list above.
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
      return <Board channel={channel} board={board.state} viewers={board.runtimeState.viewers ?? []} stale={board.stale} />
  }
}
