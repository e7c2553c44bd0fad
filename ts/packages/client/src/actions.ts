/**
 * The actions of channels. Generated code puts `actions` or `once` into the
 * spec of a channel that has some.
 *
 * @packageDocumentation
 */
import { makeActions } from './make-actions.js'
import type { Requests } from '@pando-sync/client'

/** The actions of a channel. */
export const actions = makeActions as Requests

/** The same: generated code names it where some actions are applied once. */
export const once = actions
