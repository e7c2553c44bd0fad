import { createClient } from '@pando-sync/client'
import { PandoProvider, useChannelState, useClient } from '@pando-sync/react'
import { ProjectChannel } from './live/quickstart.channels'

const client = createClient({ url: '/live/ws', getToken: () => sessionStorage.getItem('token') })

function Project({ projectId }: { projectId: number }) {
  const channel = ProjectChannel.with({ projectId })
  const project = useChannelState(channel)
  const { actions } = useClient().get(channel)
  switch (project.status) {
    case 'pending':
      return <p>Loading…</p>
    case 'denied':
    case 'error':
      return <p role="alert">{project.error.message}</p>
    case 'live':
      if (project.state === null) return <p>The project is gone.</p>
      return (
        <>
          <h1>{project.state.name}</h1>
          <button onClick={() => void actions.rename('Difference engine')}>Rename</button>
          <ol>
            {project.state.tasks.map((task) => (
              <li key={task.id}>{task.done ? <s>{task.title}</s> : task.title}</li>
            ))}
          </ol>
        </>
      )
  }
}

export function App() {
  return (
    <PandoProvider client={client}>
      <Project projectId={7} />
    </PandoProvider>
  )
}
