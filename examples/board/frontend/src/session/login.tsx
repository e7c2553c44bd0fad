import { useId, useState, type SubmitEvent } from 'react'
import { Leaf } from '../ui/leaf.js'
import { login, type Session } from './session.js'

const demo = [
  { username: 'ada', password: 'lovelace', name: 'Ada Lovelace' },
  { username: 'grace', password: 'hopper', name: 'Grace Hopper' },
  { username: 'mary', password: 'somerville', name: 'Mary Somerville' },
]

/** The login, with the demo's users at hand. */
export function Login({ onSession }: { readonly onSession: (session: Session) => void }) {
  const [pending, setPending] = useState(false)
  const [error, setError] = useState('')
  const errorId = useId()

  const enter = async (username: string, password: string) => {
    setPending(true)
    setError('')
    try {
      onSession(await login(username, password))
    } catch (cause) {
      setError(cause instanceof Error ? cause.message : String(cause))
      setPending(false)
    }
  }
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    void enter(form.get('username') as string, form.get('password') as string)
  }

  return (
    <main className="login">
      <div className="login-card">
        <p className="brand">
          <Leaf /> Pando
        </p>
        <h1>Boards that move together</h1>
        <p className="login-lead">Open this page in two windows and be two people.</p>
        <div className="login-demo">
          {demo.map(({ username, password, name }) => (
            <button key={username} type="button" className="button" disabled={pending} onClick={() => void enter(username, password)}>
              Enter as {name}
            </button>
          ))}
        </div>
        <form onSubmit={submit} aria-describedby={error === '' ? undefined : errorId}>
          <label className="field">
            Username
            <input name="username" autoComplete="username" autoCapitalize="none" required />
          </label>
          <label className="field">
            Password
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          <p id={errorId} className="form-error" role="alert">
            {error}
          </p>
          <button className="button primary" disabled={pending}>
            {pending ? 'Logging in…' : 'Log in'}
          </button>
        </form>
      </div>
    </main>
  )
}
