/**
 * Writes of single rows, shown before they are confirmed. Generated code puts
 * `writes` into the spec of a channel that offers some.
 *
 * @packageDocumentation
 */
import { makeActions } from './make-actions.js'
import type { AnyChannel } from './channel.js'
import type { Core, RequestMaker } from './client.js'
import { Effects, type Target } from './effects.js'
import type { WriteData, WriteRequest } from './frames.js'
import { Keys } from './keys.js'
import { Layers, type Effect, type Layer } from './layers.js'
import { outboxOf, type Job, type Outbox } from './outbox.js'
import type { Stream } from './stream.js'
import type { Table } from './table.js'
import type { Creating, Id, PandoError, Ref, Requests, SaveOptions } from '@pando-sync/client'

/** A reference is told from a row by its class. */
class RowRef<Name extends string> implements Ref<Name> {
  readonly type: Name
  readonly id: string

  constructor(type: Name, id: string) {
    this.type = type
    this.id = id
  }
}

/** Names a row by its type and key, to write it without an object of the state. */
export function ref<Name extends string>(type: Name, id: Id<Name> | string): Ref<Name> {
  return new RowRef(type, id)
}

/** The writes of a client, whatever their channel. */
class Ledger {
  readonly keys = new Keys()
  readonly layers = new Layers()
}

function ledgerOf(outbox: Outbox): Ledger {
  const ledger = (outbox.ledger as Ledger | undefined) ?? new Ledger()
  outbox.ledger = ledger
  return ledger
}

/** The writes of one channel. */
class Writer {
  readonly #core: Core
  readonly #channel: AnyChannel
  readonly #outbox: Outbox
  readonly #keys: Keys
  readonly #layers: Layers
  readonly #effects: Effects

  constructor(core: Core, channel: AnyChannel) {
    this.#core = core
    this.#channel = channel
    this.#outbox = outboxOf(core)
    const { keys, layers } = ledgerOf(this.#outbox)
    this.#keys = keys
    this.#layers = layers
    this.#effects = new Effects(channel.spec, keys)
  }

  async save(row: object, data: WriteData, { seen }: SaveOptions<WriteData> = {}): Promise<void> {
    const target = this.#locate('save', row)
    const saw = seen === true ? this.#shown(row, data) : seen
    await this.#submit('save', target, this.#effects.save(target, data), (id) => {
      const resolved = this.#effects.resolve(target.type, data)
      const known = saw && this.#effects.resolve(target.type, saw)
      if (!resolved || (saw && !known)) return undefined
      return { type: 'save', of: target.type, id, data: resolved, ...(known && { seen: known }) }
    })
  }

  async delete(row: object): Promise<void> {
    const target = this.#locate('delete', row)
    await this.#submit('delete', target, this.#effects.delete(target), (id) => ({ type: 'delete', of: target.type, id }))
  }

  /** Creates a row by relation, parent and data, or by data alone. */
  create(...args: readonly [WriteData] | readonly [string, object, WriteData]): Creating<string> {
    const [relation, row, data] = args.length === 1 ? ['', undefined, args[0]] : args
    const { name, model, writable = {} } = this.#channel.spec
    const parent = row && this.#locate('create', row)
    const where = parent ? `${parent.type}.${relation}` : ''
    const type = Object.keys(writable).find((type) => writable[type].create?.includes(where))
    if (type === undefined) throw new TypeError(`create: ${name} offers none in '${where}'`)
    const key = this.#keys.make(model.types[type].fields[model.types[type].key])
    return Object.assign(this.#create({ type, key }, parent, relation, data), { key })
  }

  keyOf(row: object): string {
    const found = this.#find(row)
    return found ? this.#keys.stable(found.type, found.key) : String((row as { readonly id?: unknown }).id)
  }

  async #create(target: Target, parent: Target | undefined, relation: string, data: WriteData): Promise<string> {
    const { type } = target
    const effect = this.#effects.create(target, parent, relation, data)
    const value = await this.#submit('create', target, effect, () => {
      const above = parent && this.#keys.resolve(parent.key)
      const resolved = this.#effects.resolve(type, data)
      if (!resolved || (parent && above === undefined)) return undefined
      const place = parent && above !== undefined ? ([parent.type, above, relation] as const) : undefined
      return { type: 'create', of: type, ...(place && { in: place }), data: resolved }
    })
    return value as string
  }

  /** Sends a write, and shows it meanwhile as long as the channel declares. */
  #submit(
    kind: WriteRequest['type'],
    target: Target,
    effect: Effect,
    request: (id: string) => WriteRequest | undefined,
  ): Promise<unknown> {
    const name = `${kind} ${target.type}`
    const { optimistic = 0 } = this.#channel.spec.writable?.[target.type] ?? {}
    let layer: Layer | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const withdraw = () => {
      clearTimeout(timer)
      if (layer) this.#layers.remove(layer)
    }
    const show = (stream: Stream) => {
      layer = { stream, effect }
      this.#layers.add(layer)
    }
    const creates = kind === 'create'
    const job: Job = {
      name,
      once: true,
      request: () => {
        const id = creates ? '' : this.#keys.resolve(target.key)
        // Asked for in any case: what else it refers to may have failed.
        const whole = request(id ?? '')
        return id === undefined ? undefined : whole
      },
      sent: () => {
        if (!layer) return
        timer = setTimeout(() => {
          withdraw()
          this.#core.flush()
        }, optimistic)
      },
      lost: () => {
        clearTimeout(timer)
      },
      replied: (value) => {
        if (!creates) return
        this.#keys.confirm(target.key, target.type, value as string)
        if (layer) this.#layers.refresh(layer.stream)
      },
      over: (error?: PandoError) => {
        if (error && creates) this.#keys.fail(target.key, error)
        withdraw()
      },
    }
    return this.#outbox.submit(this.#channel, job, ({ stream }) => {
      if (optimistic > 0) show(stream)
    })
  }

  /** What a row shows of the fields that data sets: of a relation, the key. */
  #shown(row: object, data: WriteData): WriteData {
    if (row instanceof RowRef) throw new TypeError('save: seen: true needs a row of the state')
    return Object.fromEntries(
      Object.keys(data).map((name) => {
        const value: unknown = Reflect.get(row, name)
        const found = typeof value === 'object' && value !== null ? this.#find(value) : undefined
        return [name, found?.key ?? value]
      }),
    )
  }

  #locate(what: string, row: object): Target {
    const found = this.#find(row)
    if (found) return found
    throw new TypeError(`${what}: no row of ${this.#channel.spec.name}: pass an object of its state, or ref(type, id)`)
  }

  /** The row that an object of the state was made of, or that a reference names. */
  #find(row: object): Target | undefined {
    if (row instanceof RowRef) return { type: row.type as string, key: row.id }
    const tables = this.#core.find(this.#channel)?.store.tables ?? new Map<string, Table>()
    for (const [type, { origins }] of tables) {
      const key = origins?.get(row)
      if (key !== undefined) return { type, key }
    }
    return undefined
  }
}

const makeWrites: RequestMaker = (core, channel) => {
  const writer = new Writer(core, channel)
  return {
    ...makeActions(core, channel),
    save: (row: object, data: WriteData, options?: SaveOptions<WriteData>) => writer.save(row, data, options),
    create: (...args: readonly [WriteData] | readonly [string, object, WriteData]) => writer.create(...args),
    delete: (row: object) => writer.delete(row),
    keyOf: (row: object) => writer.keyOf(row),
  }
}

/** Writes, and actions of which some may be applied once. */
export const writes = makeWrites as Requests
