import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { HelloType, StateFrame } from '../src/frames.js'
import type { Model } from '../src/model.js'
import { places } from '../src/places.js'
import { instanceIn } from '../src/show.js'
import { Store } from '../src/store.js'

interface Vector {
  readonly model: Model
  readonly anchor: string
  readonly hello: { readonly types: readonly HelloType[] }
  readonly steps: readonly { readonly frame: StateFrame }[]
}

/** A store after the first steps of a vector. */
function played(name: string, steps: number): Store {
  const path = join(import.meta.dirname, `../../../../spec/vectors/state/${name}.json`)
  const { model, anchor, hello, ...vector } = JSON.parse(readFileSync(path, 'utf8')) as Vector
  const store = new Store(model, anchor, { places })
  store.attach(hello.types, 'e', [false])
  for (const { frame } of vector.steps.slice(0, steps)) store.receive(0, frame)
  return store
}

it('gives an instance in the form in which the state shows it, nearest to the root', () => {
  const before = played('depth', 1)
  expect(instanceIn(before, 'Reply', '2')).toMatchObject({ text: 'a', replies: [{ id: '3' }] })
  expect(instanceIn(before, 'Reply', '4')).toEqual({ id: '4', text: 'c' })
  expect(instanceIn(before, 'Reply', '5')).toBeUndefined()
  const after = played('depth', 2)
  expect(instanceIn(after, 'Reply', '4')).toMatchObject({ replies: [{ id: '5' }] })
  expect(instanceIn(after, 'Reply', '5')).toEqual({ id: '5', text: 'd', replies: [] })
})

it('gives the instance itself for a row of a list', () => {
  const store = played('list', 2)
  expect(instanceIn(store, 'Task', '8')).toBe((store.state() as unknown[])[0])
})
