import { PandoError } from '@pando-sync/client'
import { createTestClient } from '@pando-sync/client/testing'
import { PandoProvider } from '@pando-sync/react'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, expect, test } from 'vitest'
import { ProjectChannel } from './live/guides.channels.js'
import { Tasks } from './Writes.js'

afterEach(cleanup)

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
