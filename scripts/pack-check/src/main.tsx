import { PandoError, createClient } from '@pando-sync/client'
import { PandoProvider, useAction, useChannelInstance, useChannelState, useConnection, useIds } from '@pando-sync/react'
import { useChannelState as useLiveState } from '@pando-sync/react/suspense'
import { StrictMode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { ProjectChannel, type ProjectChannelTypes } from './live/quickstart.channels.js'

const client = createClient({ url: '/live/ws', getToken: ({ rejected }) => (rejected ? null : sessionStorage.getItem('token')) })
const project = ProjectChannel.with({ projectId: 7 })

function Title() {
  const { state, stale } = useLiveState(project)
  const rename = useAction(project, (actions) => actions.rename)
  return (
    <header aria-busy={stale}>
      <h1>{state?.name ?? 'Gone'}</h1>
      <button disabled={rename.pending} onClick={() => void rename.run('Analytical engine')}>
        {useConnection()}
      </button>
      {rename.error instanceof PandoError && <p role="alert">{rename.error.code}</p>}
    </header>
  )
}

function Task({ id }: { readonly id: ProjectChannelTypes['Task']['id'] }) {
  return <li>{useChannelInstance(project, 'Task', id)?.title}</li>
}

function Tasks() {
  const open = useChannelState(project, { select: (state) => state?.tasks.filter((task) => !task.done).length ?? 0 })
  return (
    <section>
      <p>{open.status === 'live' ? `${open.state} to do` : open.status}</p>
      <ol>{useIds(project, (state) => state.tasks)?.map((id) => <Task key={id} id={id} />)}</ol>
    </section>
  )
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element #root')
createRoot(root).render(
  <StrictMode>
    <PandoProvider client={client}>
      <Suspense fallback="Loading…">
        <Title />
        <Tasks />
      </Suspense>
    </PandoProvider>
  </StrictMode>,
)
