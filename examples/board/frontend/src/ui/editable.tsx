import { useState, type KeyboardEvent } from 'react'

interface Props {
  readonly value: string
  /** What the text is, like "Name of the board". */
  readonly label: string
  readonly maxLength: number
  readonly onChange: (text: string) => Promise<boolean>
}

/** Text that becomes a field when it is clicked. Enter or leaving it saves, Escape does not. */
export function Editable({ value, label, maxLength, onChange }: Props) {
  const [draft, setDraft] = useState<string>()
  if (draft === undefined) {
    return (
      <button
        type="button"
        className="editable"
        title={`Change: ${label.toLowerCase()}`}
        onClick={() => {
          setDraft(value)
        }}
      >
        {value}
      </button>
    )
  }
  const save = () => {
    setDraft(undefined)
    if (draft.trim() !== '' && draft !== value) void onChange(draft)
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter') save()
    if (event.key !== 'Escape') return
    event.preventDefault() // a dialog around it stays open
    setDraft(undefined)
  }
  return (
    <input
      autoFocus
      className="editable"
      aria-label={label}
      maxLength={maxLength}
      value={draft}
      onChange={(event) => {
        setDraft(event.target.value)
      }}
      onBlur={save}
      onKeyDown={press}
    />
  )
}
