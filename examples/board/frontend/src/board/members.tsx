import { useEffect, useRef, useState } from 'react'
import type { Board, Member, Role } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { Composer } from '../ui/composer.js'
import { useBoard } from './context.js'

const roles: Readonly<Record<Role, string>> = { owner: 'Owner', editor: 'Editor', viewer: 'Viewer' }

interface Props {
  readonly board: Board
  readonly onClose: () => void
}

/** The people of a board and what they may do, for owners to change. */
export function Members({ board, onClose }: Props) {
  const { handle, attempt, role, me } = useBoard()
  const dialog = useRef<HTMLDialogElement>(null)
  const [invited, invite] = useState<Role>('editor')
  const owner = role === 'owner'
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal()
  }, [])
  return (
    <dialog ref={dialog} className="card-dialog members" aria-label="People of the board" closedby="any" onClose={onClose}>
      <header className="dialog-header">
        <h2>People</h2>
        <form method="dialog">
          <button className="button quiet small">Close</button>
        </form>
      </header>
      <ul>
        {board.members.map((member) => (
          <MemberItem key={member.id} member={member} managed={owner && member.user !== me} />
        ))}
      </ul>
      {owner && (
        <footer className="dialog-footer">
          <Composer
            label="Invite"
            placeholder="Username"
            submit="Invite"
            maxLength={150}
            onAdd={(username) => attempt(() => handle.actions.addMember(username, invited), 'username')}
          >
            <RoleSelect label="Their role" role={invited} onChange={invite} />
          </Composer>
          <DeleteBoard board={board} />
        </footer>
      )}
    </dialog>
  )
}

function MemberItem({ member, managed }: { readonly member: Member; readonly managed: boolean }) {
  const { handle, attempt } = useBoard()
  const { user, role } = member
  if (user === null) return null
  return (
    <li className="member">
      <Avatar user={user} />
      <span className="member-name">{user.name}</span>
      {managed ? (
        <>
          <RoleSelect label={`Role of ${user.name}`} role={role} onChange={(role) => void attempt(() => handle.save(member, { role }))} />
          <button type="button" className="button danger small" aria-label={`Remove ${user.name}`} onClick={() => void attempt(() => handle.delete(member))}>
            Remove
          </button>
        </>
      ) : (
        <span className="quiet-text">{roles[role]}</span>
      )}
    </li>
  )
}

interface SelectProps {
  readonly label: string
  readonly role: Role
  readonly onChange: (role: Role) => void
}

function RoleSelect({ label, role, onChange }: SelectProps) {
  return (
    <span className="field">
      <select aria-label={label} value={role} onChange={({ target }) => { onChange(target.value as Role) }}>
        {Object.entries(roles).map(([role, name]) => (
          <option key={role} value={role}>
            {name}
          </option>
        ))}
      </select>
    </span>
  )
}

/** Asks once more. */
function DeleteBoard({ board }: { readonly board: Board }) {
  const { handle, attempt } = useBoard()
  const [sure, setSure] = useState(false)
  if (!sure) {
    return (
      <button type="button" className="button danger small" onClick={() => { setSure(true) }}>
        Delete board
      </button>
    )
  }
  return (
    <button type="button" className="button danger small" autoFocus onBlur={() => { setSure(false) }} onClick={() => void attempt(() => handle.delete(board))}>
      Really delete it with all its cards
    </button>
  )
}
