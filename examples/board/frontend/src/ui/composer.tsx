import { useState, type KeyboardEvent, type SubmitEvent } from 'react'

interface Props {
  /** What the button says, like "Add a card". */
  readonly label: string
  readonly placeholder: string
  /** What the form's button says. */
  readonly submit: string
  readonly maxLength: number
  /** Adds it; the text stays when that resolves to false. */
  readonly onAdd: (text: string) => Promise<boolean>
}

/** A button that becomes a one-line form, and stays one for the next. */
export function Composer({ label, placeholder, submit, maxLength, onAdd }: Props) {
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const close = () => {
    setOpen(false)
    setText('')
  }
  const add = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (text.trim() !== '' && (await onAdd(text))) setText('')
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
        placeholder={placeholder}
        maxLength={maxLength}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
        }}
      />
      <button className="button primary small">{submit}</button>
      <button type="button" className="button quiet small" onClick={close}>
        Cancel
      </button>
    </form>
  )
}
