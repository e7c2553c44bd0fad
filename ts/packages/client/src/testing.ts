/**
 * A client without a network, for the tests of pages: a test says what the
 * server would say, in plain objects, and sees what the page asks for. All
 * else is the real client.
 *
 * @packageDocumentation
 */
import type { Core } from './client.js'
import { streamsOf } from './make-streams.js'
import { TestServer } from './test-server.js'
import type { TestMessage, TestStream } from './test-streams.js'
import { createClient } from '@pando-sync/client'
import type { Binding, BoundRow, Channel, ClientOptions, StreamClient, Streams, SystemMessage } from '@pando-sync/client'

export type { TestMessage, TestStream } from './test-streams.js'

/** A state as a test writes it: what is missing is null or empty, and keys need no brands. */
export type Given<T> = T extends string
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Given<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]?: Given<T[Name]> | undefined }
      : T

/** A row of a stream's binding, by the stream's name. */
export type RowOf<Name> = Name extends keyof Streams
  ? Streams[Name] extends Binding<infer Data, unknown, infer Key>
    ? BoundRow<Data, Key>
    : never
  : BoundRow

/** What a page asked for. */
export type TestRequest =
  | { readonly kind: 'action'; readonly route: string; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: 'save'; readonly route: string; readonly type: string; readonly id: string; readonly data: TestData; readonly seen?: TestData }
  | { readonly kind: 'create'; readonly route: string; readonly type: string; readonly in?: readonly string[]; readonly data: TestData }
  | { readonly kind: 'delete'; readonly route: string; readonly type: string; readonly id: string }
  | TestMessage

type TestData = Readonly<Record<string, unknown>>

type AnyFunction = (...args: never[]) => unknown

/** How an action is answered: its result, or a promise of it; what it throws is the error of the call. */
type Answer<Action> = Action extends (...args: infer Args) => infer Result ? (...args: Args) => Awaited<Result> | PromiseLike<Awaited<Result>> : never

/** A client whose server is the test. */
export interface TestClient extends StreamClient {
  /** Everything that was asked for besides opening and closing, in order. */
  readonly requests: readonly TestRequest[]
  /** Answers a write: with the key of what was created, or by throwing a PandoError. Without it, all succeed. */
  onWrite: ((request: TestRequest) => unknown) | undefined
  /** Makes a state that of a channel, now and whenever it is opened. Rows that are equal keep their objects. */
  push<State, Types, Actions, Runtime, Writes>(
    channel: Channel<State, Types, Actions, Runtime, Writes>,
    state: Given<State>,
    options?: { readonly runtime?: Partial<Runtime> },
  ): void
  /** Answers an action from now on. Without that, actions fail with `unknown_action`. */
  respond<State, Types, Actions, Runtime, Writes, Name extends keyof Actions & string>(
    channel: Channel<State, Types, Actions, Runtime, Writes>,
    name: Name,
    answer: Answer<Actions[Name]>,
  ): void
  /** Closes the channel's stream with an error, and refuses to open it until a state is pushed. */
  deny(channel: Channel<unknown, unknown, unknown, unknown, unknown>, code?: string, message?: string): void
  /** Tells a stream of something. */
  notice(channel: Channel<unknown, unknown, unknown, unknown, unknown>, name: string, value: unknown): void
  /**
   * Makes rows those of a binding's stream, now and whenever it is subscribed to;
   * writes are carried out on them and told, unless `onMessage` answers.
   */
  pushRows<Name extends keyof Streams | (string & {})>(name: Name, rows: readonly RowOf<Name>[], stream?: TestStream): void
  /** Answers what is sent to a stream; undefined leaves it to the binding. What it throws is the error of the request. */
  onMessage: ((message: TestMessage) => unknown) | undefined
  /** Sends a payload to a stream that is open. */
  tell(name: string, payload: object, stream?: TestStream): void
  /** Tells a stream that something may have been lost; a binding's gets its rows again. */
  gap(name: string, stream?: TestStream): void
  /** Closes a stream with an error, and refuses to open it until rows are pushed. */
  denyStream(name: string, code?: string, message?: string, stream?: TestStream): void
  /** Tells everyone of something. */
  announce(message: Omit<SystemMessage, 'retryAfter'> & Partial<SystemMessage>): void
  /** Loses the connection, which does not come back by itself. */
  drop(): void
  /** Brings the connection back. */
  reconnect(): void
}

/** Makes a client that is online as soon as anything is subscribed to. */
export function createTestClient(
  options: Partial<Pick<ClientOptions, 'queue' | 'actionTimeout' | 'streams'>> & { readonly user?: string } = {},
): TestClient {
  const server = new TestServer(options.user ?? '1')
  const { streams } = server
  const client = createClient({ streams: streamsOf(), ...options, url: 'ws://test/ws', WebSocket: server.WebSocket })
  const kit: Omit<TestClient, keyof StreamClient> = {
    requests: server.requests,
    onWrite: undefined,
    onMessage: undefined,
    pushRows: (name, rows, stream) => {
      streams.push(name, rows, stream)
    },
    tell: (name, payload, stream) => {
      streams.tell(name, payload, stream)
    },
    gap: (name, stream) => {
      streams.gap(name, stream)
    },
    denyStream: (name, code = 'denied', message = 'denied by the test', stream) => {
      streams.deny(name, { code, message }, stream)
    },
    push: (channel, state, { runtime } = {}) => {
      server.push(channel, state, runtime)
    },
    respond: (channel, name, answer: AnyFunction) => {
      server.respond(channel, name, answer as (...args: unknown[]) => unknown)
    },
    deny: (channel, code = 'denied', message = 'denied by the test') => {
      server.deny(channel, code, message)
    },
    notice: (channel, name, value) => {
      server.tell(channel, { type: 'notice', name, value })
    },
    announce: ({ retryAfter, ...message }) => {
      server.announce({ type: 'system', ...message, ...(retryAfter !== undefined && { retry_after: retryAfter }) })
    },
    drop: () => {
      server.drop()
    },
    reconnect: () => {
      server.up = true
      client.authenticate()
    },
  }
  const whole: TestClient = Object.assign(client, kit)
  server.write = (request) => whole.onWrite?.(request)
  streams.answer = (message) => whole.onMessage?.(message)
  server.newStore = (channel) => (client as unknown as Core).make(channel).store
  return whole
}
