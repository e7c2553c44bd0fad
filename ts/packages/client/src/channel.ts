import type { ChannelSpec } from './model.js'

declare const brand: unique symbol

/**
 * The key of an instance of type `T`. It is a string in memory and on the
 * wire; the brand keeps the key of one type from being passed for another's.
 */
export type Id<T extends string> = string & { readonly [brand]: T }

/** A 64-bit integer as an action takes it: a decimal string when it is large. */
export type Int = number | bigint | string

/** A value of a route parameter. */
export type RouteValue = string | number | bigint

/** The writes of a channel that offers none. */
export type NoWrites = object

/**
 * A channel with its arguments: what to open, not an open stream. Generated
 * code declares one subclass per channel; `with` makes its values.
 */
export class Channel<State, Types, Actions, Runtime, Writes = NoWrites> {
  /** Carries the types for inference; there is no such property. */
  declare readonly $types?: { state: State; types: Types; actions: Actions; runtime: Runtime; writes: Writes }

  readonly spec: ChannelSpec
  /** The route with its arguments filled in, percent-encoded. */
  readonly route: string
  /** The same for the same channel and arguments: what subscriptions share by. */
  readonly key: string
  /** The key of the root's row. */
  readonly anchor: string

  constructor(spec: ChannelSpec, args: Readonly<Record<string, RouteValue>>) {
    const values = new Map<string, string>()
    for (const [name, param] of Object.entries(spec.params)) {
      const value = String((args as Readonly<Record<string, RouteValue | null | undefined>>)[name] ?? '')
      if (value === '') throw new TypeError(`${spec.name}.with: ${name} is missing`)
      values.set(param, value)
    }
    this.spec = spec
    let last = ''
    this.route = spec.route.replace(/\{(\w+)\}/g, (_, param: string) => encodeURIComponent((last = values.get(param) ?? '')))
    this.key = `${spec.name} ${this.route}`
    this.anchor = canonicalKey(spec, values.get(spec.anchor ?? '') ?? last)
  }
}

/** A channel of any type, for code that does not look at its state. */
export type AnyChannel = Channel<unknown, unknown, unknown, unknown, unknown>

/** The server folds the case of UUIDs, so the key to look for is lower case. */
function canonicalKey(spec: ChannelSpec, value: string): string {
  const { layers, root, types } = spec.model
  const type = types[layers[root].type]
  return type.fields[type.key] === 'uuid' ? value.toLowerCase() : value
}
