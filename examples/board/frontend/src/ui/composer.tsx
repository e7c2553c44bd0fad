import { useId, useState, type KeyboardEvent, type ReactNode, type SubmitEvent } from 'react'
import type { Attempted } from './toast.js'

interface Props {
  /** What the button says, like "Add a card". */
  readonly label: string
  readonly placeholder: string
  /** What the form's button says. */
  readonly submit: string
  readonly maxLength: number
  /** Adds it. The field is empty for the next one at once; when it fails, the text comes back. */
  readonly onAdd: (text: string) => Promise<Attempted>
  /** More fields. */
  readonly children?: ReactNode
}

/** A button that becomes a one-line form, and stays one for the next. */
export function Composer({ label, placeholder, submit, maxLength, onAdd, children }: Props) {
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const [error, setError] = useState('')
  const errorId = useId()
  const change = (text: string) => {
    setText(text)
    setError('')
  }
  const close = () => {
    setOpen(false)
    change('')
  }
  const add = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (text === '') return
    change('')
    const attempted = await onAdd(text)
    if (attempted.ok) return
    setText((next) => (next === '' ? text : next))
    setError(attempted.error ?? '')
  }
  const leave = (event: KeyboardEvent) => {
    if (event.key === 'Escape') close()
  }
  if (!open) {
    return (
      <button
        type="button"
        className="composer-open"
        onClick={() => {
          setOpen(true)
        }}
      >
        <span aria-hidden="true">+</span> {label}
      </button>
    )
  }
  return (
    <form className="composer" onSubmit={(event) => void add(event)} onKeyDown={leave}>
      <input
        autoFocus
        aria-label={label}
        aria-invalid={error !== ''}
        aria-describedby={error === '' ? undefined : errorId}
        placeholder={placeholder}
        maxLength={maxLength}
        value={text}
        onChange={(event) => {
          change(event.target.value)
        }}
      />
      {error !== '' && (
        <p id={errorId} className="field-error" role="alert">
          {error}
        </p>
      )}
      {children}
      <button className="button primary small">{submit}</button>
      <button type="button" className="button quiet small" onClick={close}>
        Cancel
      </button>
    </form>
  )
}
