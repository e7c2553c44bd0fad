import type { Kind } from './model.js'
import { PandoError } from '@pando-sync/client'

/** How many temporary keys are remembered; the oldest are forgotten. */
const memory = 10_000

/**
 * The temporary keys of a client: what each row that it creates goes by until
 * the server has said its key, and by what the row is known ever after.
 */
export class Keys {
  #next: number
  /** The key that a temporary one became, undefined until it is known, or why there is none. */
  readonly #real = new Map<string, string | undefined | PandoError>()
  /** The temporary key by instance type and key. */
  readonly #first = new Map<string, string>()

  constructor(first = 1) {
    this.#next = first
  }

  /** A key that no row has, and that compares with others of its kind. */
  make(kind?: Kind): string {
    const n = this.#next++
    const key = kind === 'bytes' ? `tmp/${String(n).padStart(12, '0')}` : `tmp:${n}`
    this.#real.set(key, undefined)
    forget(this.#real)
    return key
  }

  /** Notes the key of the row that was created. */
  confirm(temporary: string, type: string, key: string): void {
    this.#real.set(temporary, key)
    this.#first.set(`${type} ${key}`, temporary)
    forget(this.#first)
  }

  /** Notes that there will be no row. */
  fail(temporary: string, error: PandoError): void {
    this.#real.set(temporary, error)
  }

  /** Whether a value is one of these keys. */
  has(value: unknown): value is string {
    return this.#real.has(value as string)
  }

  /** The key that a temporary one became; any other is itself; undefined for one that has become none. */
  known(key: string): string | undefined {
    const real = this.has(key) ? this.#real.get(key) : key
    return real instanceof PandoError ? undefined : real
  }

  /**
   * The key as the server knows it, undefined while it does not.
   *
   * @throws PandoError `depends` when the row was not created.
   */
  resolve(key: string): string | undefined {
    const real = this.#real.get(key)
    if (real instanceof PandoError) throw new PandoError('depends', `what it refers to was not created: ${real.message}`)
    return this.known(key)
  }

  /** What a row goes by from its creation on. */
  stable(type: string, key: string): string {
    return this.#first.get(`${type} ${key}`) ?? key
  }
}

function forget(map: Map<string, unknown>): void {
  if (map.size <= memory) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
