/**
 * Rows that stand for others: many-to-many relations, lists whose places are
 * rows of their own, and keys of several columns. Generated code puts it into
 * the spec of the channels that have such.
 *
 * @packageDocumentation
 */
import { placeRules } from './place-rules.js'
import type { Places } from '@pando-sync/client'

/** Declares that a channel's model has rows that stand for others, or keys of several columns. */
export const places = placeRules as Places
