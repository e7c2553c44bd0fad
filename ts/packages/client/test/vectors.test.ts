import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareKind } from '../src/compare.js'
import type { HelloType, StateFrame } from '../src/frames.js'
import type { Kind, Model } from '../src/model.js'
import { partsOf } from '../src/place-rules.js'
import { places } from '../src/places.js'
import { Store } from '../src/store.js'
import { comparing } from './comparing.js'
import { deepFreeze } from './freeze.js'

interface StateVector {
  readonly name: string
  readonly model: Model
  readonly anchor: string
  readonly hello: { readonly types: readonly HelloType[] }
  readonly steps: readonly { readonly frame?: StateFrame; readonly frames?: readonly StateFrame[]; readonly state?: unknown }[]
}

interface ValueVectors {
  readonly order: readonly { readonly kind: Kind; readonly sorted: readonly unknown[] }[]
}

interface TupleVectors {
  readonly tuples: readonly { readonly wire: string; readonly parts: readonly unknown[] }[]
}

const folder = join(import.meta.dirname, '../../../../spec/vectors')

function read(path: string): unknown {
  return JSON.parse(readFileSync(join(folder, path), 'utf8'))
}

describe('spec/vectors/state', () => {
  for (const file of readdirSync(join(folder, 'state'))) {
    const vector = read(`state/${file}`) as StateVector
    it(`${file}: ${vector.name}`, () => {
      const store = new Store(vector.model, vector.anchor, { places })
      store.attach(vector.hello.types, 'e', [false])
      for (const { frame, frames, ...step } of vector.steps) {
        for (const f of frames ?? []) store.receive(0, f)
        if (frame !== undefined) store.receive(0, frame)
        expect(store.complete).toBe('state' in step)
        if (store.complete) expect(deepFreeze(store.state())).toEqual(step.state)
      }
    })
  }
})

describe.each(['values.json', 'compare.json'])('spec/vectors/%s', (file) => {
  it.each((read(file) as ValueVectors).order)('orders $kind as the server does', ({ kind, ...vector }) => {
    const compare = comparing(kind)
    vector.sorted.forEach((a, i) => {
      vector.sorted.forEach((b, j) => {
        expect(Math.sign(compare(a, b)), `${JSON.stringify(a)} ? ${JSON.stringify(b)}`).toBe(Math.sign(i - j))
      })
    })
  })

})

describe('tuples and bytes', () => {
  it.each((read('compare.json') as TupleVectors).tuples)('takes $wire apart', ({ wire, parts }) => {
    // JSON.parse has no integers beyond 2^53: those are told from the text.
    const texts = parts.map((part, i) => (Number.isSafeInteger(part) || typeof part === 'string' ? String(part) : wire.split(',')[i]))
    expect(partsOf(wire)).toEqual(texts)
  })

  it('orders bytes by what their base64 stands for', () => {
    const sorted = ['', 'AA==', 'AAA=', 'YQ==', 'YQA=', '+w==', '/w=='].map((text) => Buffer.from(text, 'base64'))
    sorted.sort((a, b) => Buffer.compare(a, b))
    const texts = sorted.map((bytes) => bytes.toString('base64'))
    expect(texts.toReversed().sort(compareKind('bytes'))).toEqual(texts)
  })
})
