import type { Board, Viewer } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { Composer } from '../ui/composer.js'
import { Editable } from '../ui/editable.js'
import { useBoard } from './context.js'

interface Props {
  readonly board: Board
  readonly viewers: readonly Viewer[]
}

/** The name of a board, its people (those with a ring look at it now), and what can be added. */
export function BoardHeader({ board, viewers }: Props) {
  const { actions, attempt } = useBoard()
  const here = new Set(viewers.map(({ id }) => String(id)))
  const cards = board.lists.flatMap((list) => list.cards)
  return (
    <header className="board-header">
      <div>
        <h1>
          <Editable
            value={board.name}
            label="Name of the board"
            maxLength={80}
            onChange={(name) => attempt(() => actions.renameBoard(name))}
          />
        </h1>
        <p className="board-facts">
          {cards.filter((card) => card.done).length} of {cards.length} cards done
        </p>
      </div>
      <div className="people">
        <ul aria-label="Members">
          {board.members.map(({ id, user }) => user !== null && <li key={id}><Avatar user={user} here={here.has(user.id)} /></li>)}
        </ul>
        <Composer
          label="Invite"
          placeholder="Username"
          submit="Invite"
          maxLength={150}
          onAdd={(username) => attempt(() => actions.addMember(username))}
        />
        <Composer
          label="Add a list"
          placeholder="Name of the list"
          submit="Add"
          maxLength={80}
          onAdd={(name) => attempt(() => actions.addList(name))}
        />
      </div>
    </header>
  )
}
