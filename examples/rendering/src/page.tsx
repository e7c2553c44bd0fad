import { useAction, useChannelInstance, useChannelState, useConnection, useIds } from '@pando-sync/react'
import { ProjectChannel, type ProjectChannelTypes } from '../../quickstart/frontend/live/quickstart.channels.js'

/** The page of one project: the same on the server and in the browser. */
export function Page({ projectId }: { readonly projectId: string }) {
  const channel = ProjectChannel.with({ projectId })
  const project = useChannelState(channel, { select: (state) => state?.name })
  const tasks = useIds(channel, (state) => state.tasks)
  const rename = useAction(channel, (actions) => actions.rename)
  const connection = useConnection()
  if (project.status === 'pending') return <p>Loading…</p>
  if (project.status !== 'live') return <p role="alert">{project.error.message}</p>
  if (project.state === undefined) return <p>The project is gone.</p>
  return (
    <main>
      <p role="status">{connection}</p>
      <h1>{project.state}</h1>
      <button disabled={rename.pending} onClick={() => void rename.run('Difference engine')}>
        Rename
      </button>
      <ol>{tasks?.map((id) => <Task key={id} projectId={projectId} id={id} />)}</ol>
    </main>
  )
}

function Task({ projectId, id }: { readonly projectId: string; readonly id: ProjectChannelTypes['Task']['id'] }) {
  const task = useChannelInstance(ProjectChannel.with({ projectId }), 'Task', id)
  return <li>{task?.done ? <s>{task.title}</s> : task?.title}</li>
}
