import type { BindingHandle, BoundRow, ConsumerHandle, PandoError } from '@pando-sync/client'
import type {} from '../../client/test/streams.test-d.js'
import { describe, expectTypeOf, it } from 'vitest'
import { useBinding, useMessages, useStream } from '../src/index.js'

describe('types of the hooks of streams', () => {
  it('come from what is declared of their names', () => {
    const messages = useBinding('typed-messages', { at: '/rooms/1/' })
    expectTypeOf(messages.rows[0].data.message).toBeString()
    expectTypeOf(messages.rows[0].pk).toBeNumber()
    if (messages.status === 'denied') expectTypeOf(messages.error).toEqualTypeOf<PandoError>()
    expectTypeOf(messages.create).toEqualTypeOf(useStream('typed-messages').create)
    expectTypeOf(useStream('typed-chat')).toEqualTypeOf<ConsumerHandle<{ say: string }, { said: string }, number>>()
    expectTypeOf(useBinding('typed-chat')).toBeNever()
    useMessages('typed-chat', (payload) => {
      expectTypeOf(payload).toEqualTypeOf<{ said: string }>()
    })
  })

  it('are those of any binding where nothing is declared', () => {
    expectTypeOf(useStream('anything')).toEqualTypeOf<BindingHandle>()
    expectTypeOf(useBinding('anything', 'skip').rows).toEqualTypeOf<readonly BoundRow[]>()
  })
})
