import type { CSSProperties } from 'react'
import type { User } from '../live/board.interfaces.js'

interface Props {
  readonly user: User
  /** Has the board open now. */
  readonly here?: boolean
}

/** A person as a circle with initials, in a colour of their own. */
export function Avatar({ user, here = false }: Props) {
  const label = here ? `${user.name}, here now` : user.name
  // The golden angle keeps the hues of neighbouring keys far apart.
  const style = { '--hue': (Number(user.id) * 137.5) % 360 } as CSSProperties
  return (
    <span className={here ? 'avatar here' : 'avatar'} style={style} role="img" aria-label={label} title={label}>
      {initials(user.name || user.username)}
    </span>
  )
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '')
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => Array.from(word ?? '')[0] ?? '')
    .join('')
    .toUpperCase()
}
