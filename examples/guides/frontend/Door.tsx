import { useConnection } from '@pando-sync/react'
import { useState, type ReactNode } from 'react'
import { login } from './auth.js'

export function LoginDoor({ children }: { children: ReactNode }) {
  const connection = useConnection()
  return connection === 'needs-auth' ? <Login /> : children
}

function Login() {
  const [refused, setRefused] = useState(false)
  const submit = async (form: FormData) => {
    setRefused(!(await login(form.get('name') as string, form.get('password') as string)))
  }
  return (
    <form action={submit}>
      <input name="name" autoComplete="username" />
      <input name="password" type="password" autoComplete="current-password" />
      {refused && <p role="alert">Wrong name or password.</p>}
      <button>Log in</button>
    </form>
  )
}
