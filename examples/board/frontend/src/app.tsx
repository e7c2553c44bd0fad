import { PandoProvider } from '@pando-sync/react'
import { PandoDevtools } from '@pando-sync/react/devtools'
import { useState } from 'react'
import { Workspace } from './page/workspace.js'
import { Login } from './session/login.js'
import { restoreSession, type Session } from './session/session.js'
import { ToastProvider } from './ui/toast.js'

/** The whole page: the login, or the boards of who has logged in. */
export function App() {
  const [session, setSession] = useState<Session | undefined>(restoreSession)
  if (session === undefined) return <Login onSession={setSession} />
  const leave = () => {
    session.end()
    setSession(undefined)
  }
  return (
    <PandoProvider client={session.client}>
      <ToastProvider>
        <Workspace userId={session.userId} onLeave={leave} />
      </ToastProvider>
      {import.meta.env.DEV && <PandoDevtools client={session.client} />}
    </PandoProvider>
  )
}
