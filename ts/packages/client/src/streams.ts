/**
 * Streams of demultiplexers: the rows of bindings, live, and consumers of the
 * app's own. Generated code makes the `streams` of its bindings; a page whose
 * streams nothing was generated for makes them by `streamsOf()`.
 *
 * ```ts
 * const client = createClient({ url: '/live/ws', streams })
 * const messages = client.stream('message-stream', { at: '/demultiplex/room/' })
 * ```
 *
 * @packageDocumentation
 */
export { streamsOf, type StreamSpecs } from './make-streams.js'
