import type { Id, Loading } from '@pando-sync/client'
import { useChannel, useChannelInstance, useChannelState, useIds } from '@pando-sync/react'
import { DeskChannel, ProjectChannel, TicketsChannel } from './live/state.channels'
import type { Project } from './live/state.interfaces'

function Tasks({ projectId }: { projectId: string }) {
  const project = useChannelState(ProjectChannel.with({ projectId }))
  if (project.status === 'denied') return <p>This is not your project.</p>
  if (project.status === 'error') return <button onClick={project.retry}>{project.error.message}</button>
  if (project.status === 'pending') return <Arriving project={project.loading} />
  if (project.state === null) return <p>The project is gone.</p>
  return (
    <ul>
      {project.state.tasks.map((task) => (
        <li key={task.id}>
          {task.title}: {task.assignee?.name ?? 'nobody'}
        </li>
      ))}
    </ul>
  )
}

function Arriving({ project }: { project: Loading<Project | null> | undefined }) {
  return (
    <ul aria-busy>
      {project?.tasks.map((task) => (
        <li key={task.id}>{task._loaded === false ? '…' : task.title}</li>
      ))}
    </ul>
  )
}

function Tickets({ team }: { team: string }) {
  const channel = TicketsChannel.with({ team })
  const ids = useIds(channel, (tickets) => tickets)
  return <ol>{ids?.map((id) => <TicketItem key={id} channel={channel} id={id} />)}</ol>
}

function TicketItem({ channel, id }: { channel: TicketsChannel; id: Id<'Ticket'> }) {
  const ticket = useChannelInstance(channel, 'Ticket', id)
  return (
    <li>
      {ticket?.title} {ticket?.assignee?.name}
    </li>
  )
}

function Desk() {
  const desk = useChannelState(DeskChannel.with())
  const { actions } = useChannel(DeskChannel.with())
  return (
    <ul>
      {desk.state?.map((note) => (
        <li key={note.id}>
          {note.text} <button onClick={() => void actions.dismiss(note.id)}>Dismiss</button>
        </li>
      ))}
    </ul>
  )
}

export function App() {
  return (
    <>
      <Tasks projectId="1" />
      <Tickets team="mill" />
      <Desk />
    </>
  )
}
