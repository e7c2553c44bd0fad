import type { AnyChannel } from './channel.js'
import { callAction } from './call.js'
import type { Core, RequestMaker } from './client.js'
import { outboxOf } from './outbox.js'
import { PandoError } from '@pando-sync/client'

type Act = (name: string, args: readonly unknown[]) => Promise<unknown>

/** The actions of a channel, by name: of one whose answer is lost it is unknown what it did. */
export const makeActions: RequestMaker = (core, channel) => ({
  actions: actionsOf(channel, (name, args) => act(core, channel, name, args)),
})

/** The same, but those of the channel's `once` are kept, and sent again, until they are answered. */
export const makeOnce: RequestMaker = (core, channel) => ({
  actions: actionsOf(channel, (name, args) => {
    if (!channel.spec.once?.includes(name)) return act(core, channel, name, args)
    return outboxOf(core).submit(channel, { name, request: () => ({ type: 'action', name, args }) })
  }),
})

function actionsOf({ spec }: AnyChannel, act: Act): unknown {
  return Object.fromEntries(spec.actions.map((name) => [name, (...args: unknown[]) => act(name, args)]))
}

async function act(core: Core, channel: AnyChannel, name: string, args: readonly unknown[]): Promise<unknown> {
  const session = core.online()
  if (!session) throw new PandoError('offline', `${name}: not connected`, { retry: true })
  const release = core.use(channel, () => () => undefined)
  try {
    const { actionTimeout: timeout = 30_000 } = core.options
    return await callAction(session, { stream: core.stream(channel).name, name, args, timeout })
  } finally {
    release()
  }
}
