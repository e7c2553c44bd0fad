import { PandoError } from '@pando-sync/client'
import { createTestClient } from '@pando-sync/client/testing'
import { ref } from '@pando-sync/client/writes'
import { PandoProvider } from '@pando-sync/react'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { ProjectChannel } from './live/guides.channels.js'
import { Tasks } from './Writes.js'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const engine = ProjectChannel.with({ projectId: 1 })

function open() {
  const client = createTestClient()
  client.push(engine, { id: '1', name: 'Engine', tasks: [{ id: '7', title: 'Oil the mill' }] })
  render(<PandoProvider client={client}><Tasks projectId="1" /></PandoProvider>)
  return client
}

function rename(from: string, to: string): void {
  const input = screen.getByDisplayValue(from)
  fireEvent.change(input, { target: { value: to } })
  fireEvent.blur(input)
}

test('renames a task', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  rename('Oil the mill', 'Oil it twice')
  await expect.poll(() => client.requests).toEqual([
    {
      kind: 'save', route: 'projects/1', type: 'Task', id: '7',
      data: { title: 'Oil it twice' }, seen: { title: 'Oil the mill' },
    },
  ])
})

test('says so when somebody else was faster', async () => {
  const client = open()
  client.onWrite = () => {
    throw new PandoError('conflict', 'title: has another value')
  }
  await screen.findByDisplayValue('Oil the mill')
  rename('Oil the mill', 'Oil it twice')
  await screen.findByText('Somebody else changed it.')
})

test('shows what others do', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  client.push(engine, { id: '1', name: 'Engine', tasks: [] })
  await expect.poll(() => screen.queryByDisplayValue('Oil the mill')).toBeNull()
})

test('adds a task, and hours to it', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  fireEvent.change(screen.getAllByRole('textbox')[1], { target: { value: 'Punch cards' } })
  fireEvent.click(screen.getByText('Add'))
  await expect.poll(() => client.requests.map((request) => request.kind)).toEqual(['create', 'save'])
})

test('shows a write at once, and takes back what is refused', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  let refuse: (error: PandoError) => void = () => undefined
  client.onWrite = () => new Promise((_, reject) => {
    refuse = reject
  })
  const alert = vi.fn()
  vi.stubGlobal('alert', alert)
  fireEvent.click(screen.getByText('Delete'))
  await expect.poll(() => screen.queryByDisplayValue('Oil the mill')).toBeNull()
  await expect.poll(() => client.requests).toHaveLength(1)
  refuse(new PandoError('has_hours', 'hours were spent on it'))
  await screen.findByDisplayValue('Oil the mill')
  await expect.poll(() => alert.mock.calls).toEqual([['hours were spent on it']])
})

test('refuses without a connection, and keeps the page', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  client.drop()
  await expect(client.get(engine).delete(ref('Task', '7'))).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
  expect(screen.getByDisplayValue('Oil the mill')).toBeTruthy()
})

test('waits for a connection, where it may', async () => {
  const client = createTestClient({ queue: 10 })
  client.push(engine, { id: '1', name: 'Engine', tasks: [{ id: '7', title: 'Oil the mill' }] })
  render(<PandoProvider client={client}><Tasks projectId="1" /></PandoProvider>)
  await screen.findByDisplayValue('Oil the mill')
  client.drop()
  const saved = client.get(engine).save(ref('Task', '7'), { title: 'Later' })
  await screen.findByDisplayValue('Later')
  expect(client.requests).toEqual([])
  client.reconnect()
  await saved
  expect(client.requests).toMatchObject([{ kind: 'save', data: { title: 'Later' } }])
})

test('keeps the key of a row that becomes confirmed', async () => {
  const client = open()
  await screen.findByDisplayValue('Oil the mill')
  const handle = client.get(engine)
  const { state } = handle.get()
  if (!state) throw new Error('there is no state')
  const created = handle.create('tasks', state, { title: 'Punch cards' })
  const key = () => {
    const row = handle.get().state?.tasks.find((task) => task.title === 'Punch cards')
    return row && [row.id, handle.keyOf(row)]
  }
  await expect.poll(key).toEqual([created.key, created.key])
  const id = await created
  expect(id).not.toBe(created.key)
  await expect.poll(key).toEqual([id, created.key])
})
