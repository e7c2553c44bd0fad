import { useChannel, useChannelState, useWrite } from '@pando-sync/react'
import { ref } from '@pando-sync/client/writes'
import { ProjectChannel } from './live/guides.channels.js'
import type { Project, Task } from './live/guides.interfaces.js'
import { report } from './report.js'

function Tasks({ projectId }: { projectId: string }) {
  const channel = ProjectChannel.with({ projectId })
  const { state } = useChannelState(channel)
  const handle = useChannel(channel)
  if (!state) return null
  return (
    <>
      <ul>
        {state.tasks.map((task) => (
          <TaskItem key={handle.keyOf(task)} channel={channel} task={task} />
        ))}
      </ul>
      <NewTask channel={channel} project={state} />
    </>
  )
}

function TaskItem({ channel, task }: { channel: ProjectChannel; task: Task }) {
  const handle = useChannel(channel)
  const { run: rename, error } = useWrite(channel, (handle, title: string) => handle.save(task, { title }, { seen: true }))
  return (
    <li>
      <input key={task.title} defaultValue={task.title} onBlur={(event) => void rename(event.target.value)} />
      {error?.code === 'conflict' ? 'Somebody else changed it.' : error?.fields?.title}
      <button onClick={() => void handle.delete(task).catch(report)}>Delete</button>
    </li>
  )
}

function NewTask({ channel, project }: { channel: ProjectChannel; project: Project }) {
  const { run, pending } = useWrite(channel, async (handle, title: string) => {
    const created = handle.create('tasks', project, { title })
    await Promise.all([created, handle.save(ref('Task', created.key), { hours: 1 })])
  })
  const submit = (form: FormData) => void run(form.get('title') as string)
  return (
    <form action={submit}>
      <input name="title" />
      <button disabled={pending}>Add</button>
    </form>
  )
}

export { Tasks }
