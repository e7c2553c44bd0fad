/**
 * The actions of channels. Generated code puts `actions` or `once` into the
 * spec of a channel that has some.
 *
 * @packageDocumentation
 */
import { makeActions, makeOnce } from './make-actions.js'
import type { Requests } from '@pando-sync/client'

/** Actions of which it is unknown what they did when their answer is lost. */
export const actions = makeActions as Requests

/** Actions of which some are applied once, and sent again until they are answered. */
export const once = makeOnce as Requests
