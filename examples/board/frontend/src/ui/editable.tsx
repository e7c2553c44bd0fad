import { useId, useState, type KeyboardEvent } from 'react'
import type { Attempted } from './toast.js'

interface Props {
  readonly value: string
  /** What the text is, like "Name of the board". */
  readonly label: string
  readonly maxLength: number
  /** Undefined where the user may only read. */
  readonly onChange: ((text: string) => Promise<Attempted>) | undefined
}

/**
 * Text that becomes a field when it is clicked. Enter or leaving it saves,
 * Escape does not. What is refused for what it says comes back to be mended.
 */
export function Editable({ value, label, maxLength, onChange }: Props) {
  const [draft, setDraft] = useState<string>()
  const [error, setError] = useState('')
  const [saving, setSaving] = useState(false)
  const errorId = useId()
  if (onChange === undefined) return <span>{value}</span>
  if (draft === undefined) {
    return (
      <button
        type="button"
        className="editable"
        data-pending={saving}
        title={`Change: ${label.toLowerCase()}`}
        onClick={() => {
          setDraft(value)
        }}
      >
        {value}
      </button>
    )
  }
  const end = () => {
    setDraft(undefined)
    setError('')
  }
  const save = async () => {
    end()
    if (draft === value) return
    setSaving(true)
    const attempted = await onChange(draft)
    setSaving(false)
    if (attempted.error === undefined) return
    setDraft(draft)
    setError(attempted.error)
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter') void save()
    if (event.key !== 'Escape') return
    event.preventDefault() // a dialog around it stays open
    end()
  }
  return (
    <>
      <input
        autoFocus
        className="editable"
        aria-label={label}
        aria-invalid={error !== ''}
        aria-describedby={error === '' ? undefined : errorId}
        maxLength={maxLength}
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value)
          setError('')
        }}
        onBlur={() => void save()}
        onKeyDown={press}
      />
      {error !== '' && (
        <p id={errorId} className="field-error" role="alert">
          {error}
        </p>
      )}
    </>
  )
}
