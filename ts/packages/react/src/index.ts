'use client'

/**
 * React hooks for Pando, each a few lines over `useSyncExternalStore`.
 *
 * @packageDocumentation
 */
export { PandoProvider, useClient } from './provider.js'
export type { Progress, RunResult } from './runs.js'
export { useAction } from './use-action.js'
export { useBinding } from './use-binding.js'
export { useChannel } from './use-channel.js'
export { useChannelInstance } from './use-channel-instance.js'
export { useChannelState, type SelectOptions } from './use-channel-state.js'
export { useConnection } from './use-connection.js'
export { useIds } from './use-ids.js'
export { useMessages } from './use-messages.js'
export { useNotices } from './use-notices.js'
export type { Request } from './use-runs.js'
export { useRuntimeState } from './use-runtime-state.js'
export { useStream, type StreamName } from './use-stream.js'
export { useSystemMessage } from './use-system-message.js'
export { useWrite } from './use-write.js'
