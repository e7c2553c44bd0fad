import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'

/** How an attempt ended. */
export interface Attempted {
  readonly ok: boolean
  /** What is wrong with the field that was named; nothing else has told the user. */
  readonly error?: string | undefined
}

/**
 * Runs what may fail, and tells the user when it does: in a corner of the page,
 * unless the error is about the field that is named.
 */
export type Attempt = (work: () => Promise<unknown>, field?: string) => Promise<Attempted>

interface Toasts {
  readonly attempt: Attempt
  readonly say: (text: string) => void
}

const ToastContext = createContext<Toasts | undefined>(undefined)

/** How long a message stays, in milliseconds. */
const duration = 6_000

/** Shows what went wrong, and what is new, in a corner of the page. */
export function ToastProvider({ children }: { readonly children: ReactNode }) {
  const [message, setMessage] = useState('')
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // A popover lies above open dialogs as well.
    box.current?.togglePopover(message !== '')
    if (message === '') return
    const timer = setTimeout(() => {
      setMessage('')
    }, duration)
    return () => {
      clearTimeout(timer)
    }
  }, [message])
  const attempt = useCallback<Attempt>(async (work, field = '') => {
    try {
      await work()
      return { ok: true }
    } catch (error) {
      const { fields } = error as { fields?: Readonly<Record<string, string>> }
      const wrong = fields?.[field]
      if (wrong !== undefined) return { ok: false, error: sentence(wrong) }
      setMessage(explain(error))
      return { ok: false }
    }
  }, [])
  const toasts = useMemo<Toasts>(() => ({ attempt, say: setMessage }), [attempt])
  return (
    <ToastContext value={toasts}>
      {children}
      <div className="toast" role="alert" popover="manual" ref={box}>
        {message}
      </div>
    </ToastContext>
  )
}

/** @throws Error outside of a provider. */
export function useToasts(): Toasts {
  const toasts = useContext(ToastContext)
  if (toasts === undefined) throw new Error('useToasts: there is no ToastProvider around this')
  return toasts
}

/** The nearest provider's attempt. */
export function useAttempt(): Attempt {
  return useToasts().attempt
}

/** The same for one component that shows whether its own attempts are under way. */
export function useOwnAttempt(): readonly [attempt: Attempt, pending: boolean] {
  const attempt = useAttempt()
  const [count, setCount] = useState(0)
  const own = useCallback<Attempt>(async (work, field) => {
    setCount((n) => n + 1)
    const attempted = await attempt(work, field)
    setCount((n) => n - 1)
    return attempted
  }, [attempt])
  return [own, count > 0]
}

function explain(error: unknown): string {
  const { code, message } = error as { code?: string; message: string }
  switch (code) {
    case 'offline':
      return 'You are offline, so nothing was changed.'
    case 'lost':
    case 'timeout':
      return 'The connection broke. The change may or may not have arrived.'
    case 'denied':
      return `${sentence(message)} Your change was taken back.`
    case 'conflict':
      return 'Somebody else has changed this meanwhile. Your change was taken back.'
    default:
      return sentence(message)
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
