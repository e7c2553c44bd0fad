import { describe, expectTypeOf, it } from 'vitest'
import {
  createClient,
  type Binding,
  type BindingHandle,
  type BoundRow,
  type Client,
  type Consumer,
  type ConsumerHandle,
  type PandoError,
  type Pk,
  type RowTold,
  type StreamClient,
} from '../src/index.js'
import { createClient as createStandalone } from '../src/standalone.js'
import { streamsOf } from '../src/streams.js'

interface Message {
  readonly message: string
  readonly at: string
}

declare module '../src/index.js' {
  interface Streams {
    'typed-messages': Binding<Message, { readonly message?: string }, number>
    'typed-chat': Consumer<{ say: string }, { said: string }, number>
  }
}

const client = createClient({ url: '/ws', streams: streamsOf() })

describe('types of streams', () => {
  it('come from what is declared of their names', () => {
    const messages = client.stream('typed-messages', { at: '/rooms/1/' })
    expectTypeOf(messages).toEqualTypeOf<BindingHandle<Message, { readonly message?: string }, number>>()
    expectTypeOf(messages.get().rows).toEqualTypeOf<readonly BoundRow<Message, number>[]>()
    expectTypeOf(messages.create({ message: 'x' })).resolves.toEqualTypeOf<RowTold<Message, number>>()
    // @ts-expect-error it is only read
    void messages.update(1, { at: '' })
    // @ts-expect-error keys are numbers
    void messages.delete('1')
  })

  it('are of a consumer of the app, which has no rows', () => {
    const chat = client.stream('typed-chat')
    expectTypeOf(chat).toEqualTypeOf<ConsumerHandle<{ say: string }, { said: string }, number>>()
    expectTypeOf(chat.request({ say: 'x' })).resolves.toBeNumber()
    expectTypeOf(chat).not.toHaveProperty('create')
    // @ts-expect-error it takes no such payload
    void chat.send({})
  })

  it('are those of any binding where nothing is declared', () => {
    const { rows } = client.stream('anything').get()
    expectTypeOf(rows).toEqualTypeOf<readonly BoundRow[]>()
    expectTypeOf(rows[0].data).toBeUnknown()
    expectTypeOf(rows[0].pk).toEqualTypeOf<Pk>()
  })

  it('narrow by status, and carry rows in every arm', () => {
    const state = client.stream('typed-messages').get()
    if (state.status === 'denied') expectTypeOf(state.error).toEqualTypeOf<PandoError>()
    if (state.status === 'live') expectTypeOf(state.error).toBeUndefined()
    if (state.status === 'pending') expectTypeOf(state.stale).toEqualTypeOf<false>()
    expectTypeOf(state.rows).toEqualTypeOf<readonly BoundRow<Message, number>[]>()
  })

  it('are there only for a client that was given them', () => {
    expectTypeOf(createClient({ url: '/ws' })).toEqualTypeOf<Client>()
    expectTypeOf(client).toEqualTypeOf<StreamClient>()
    expectTypeOf(createStandalone({ url: '/ws' })).toEqualTypeOf<StreamClient>()
    expectTypeOf(createClient({ url: '/ws' })).not.toHaveProperty('stream')
  })
})
