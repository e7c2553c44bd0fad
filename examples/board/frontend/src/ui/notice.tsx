import type { ReactNode } from 'react'

interface Props {
  readonly title: string
  readonly children: ReactNode
  /** What can be done about it. */
  readonly action?: ReactNode
}

/** What stands where a board would be. */
export function Notice({ title, children, action }: Props) {
  return (
    <section className="notice">
      <svg viewBox="0 0 120 90" width="120" height="90" aria-hidden="true">
        <path d="M22 88V18M60 88V6M98 88V26" stroke="currentColor" strokeWidth="9" strokeLinecap="round" opacity=".25" />
        <path d="M18 40h9M19 62h7M56 28h8M57 54h7M56 72h9M94 46h8M95 68h7" stroke="currentColor" strokeWidth="3" strokeLinecap="round" opacity=".6" />
      </svg>
      <h1>{title}</h1>
      <p>{children}</p>
      {action}
    </section>
  )
}
