/**
 * The client and its streams in one file, for a page without a build step:
 *
 * ```html
 * <script type="module">
 *   import { createClient } from '/pando/client.js'
 *   const client = createClient({ url: '/demultiplex/room/' })
 *   const messages = client.stream('message-stream')
 *   messages.subscribe(() => show(messages.get().rows))
 * </script>
 * ```
 *
 * @packageDocumentation
 */
import { createClient as createCore } from '@pando-sync/client'
import type { ClientOptions, StreamClient } from '@pando-sync/client'
import { streamsOf } from './make-streams.js'

export { PandoError } from '@pando-sync/client'
export type * from '@pando-sync/client'

/** Makes a client of streams. Nothing is opened before the first subscription. */
export function createClient(options: ClientOptions): StreamClient {
  return createCore({ streams: streamsOf(), ...options })
}
