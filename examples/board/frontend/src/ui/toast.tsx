import { createContext, useCallback, useContext, useEffect, useRef, useState, type ReactNode } from 'react'

/** Runs what may fail, and tells the user when it does; resolves to whether it went well. */
export type Attempt = (work: () => Promise<unknown>) => Promise<boolean>

const AttemptContext = createContext<Attempt>(() => Promise.resolve(false))

/** How long a message stays, in milliseconds. */
const duration = 6_000

/** Shows what went wrong in a corner of the page. */
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
  const attempt = useCallback<Attempt>(async (work) => {
    try {
      await work()
      setMessage('')
      return true
    } catch (error) {
      setMessage(explain(error))
      return false
    }
  }, [])
  return (
    <AttemptContext value={attempt}>
      {children}
      <div className="toast" role="alert" popover="manual" ref={box}>
        {message}
      </div>
    </AttemptContext>
  )
}

/** The nearest provider's attempt. */
export function useAttempt(): Attempt {
  return useContext(AttemptContext)
}

function explain(error: unknown): string {
  const { code, message } = error as { code?: string; message: string }
  if (code === 'offline') return 'You are offline, so nothing was changed.'
  if (code === 'lost' || code === 'timeout') return 'The connection broke. The change may or may not have arrived.'
  return message.charAt(0).toUpperCase() + message.slice(1) + '.'
}
