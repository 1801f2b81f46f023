/**
 * The accounts that are unlocked now: their secret keys and index keys, the handles that sessions hold on them, and the grace
 * period after the last one. Nothing else in the program keeps a secret for longer than one operation.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { SecretKeys } from '#formats/openpgp/secret-key.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { equal, KEY_OCTETS, label, mac } from './key-derivation.ts'

/** What a session can do with its account. */
export interface UnlockedAccount {
  readonly account: string
  /** Newest first. */
  readonly keys: readonly SecretKeys[]
  readonly indexKey: Buffer
}

/** The handle was closed, or never given out. */
export class HandleClosed extends Error {
  override readonly name = 'HandleClosed'
}

interface Live extends UnlockedAccount {
  /** The MAC of the keyslot table that it was unlocked with: another table, another unlocking. */
  readonly tableMac: Buffer
  readonly handles: Set<number>
  /** Of credentials that opened it, under a key that dies with this process. */
  readonly seen: Buffer[]
  grace: Disposable | null
}

/** Different credentials of one account that are recognised at once. */
const SEEN_MAX = 8

export class UnlockedAccounts {
  readonly #clock: Clock
  readonly #graceMs: number
  readonly #accounts = new Map<string, Live>()
  readonly #handles = new Map<number, Live>()
  readonly #recognition: KeyObject = createSecretKey(randomBytes(KEY_OCTETS))
  #nextHandle = 1

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock
    this.#graceMs = graceMs
  }

  get handles(): number {
    return this.#handles.size
  }

  get accounts(): number {
    return this.#accounts.size
  }

  /** Throws HandleClosed. */
  at(handle: number): UnlockedAccount {
    const live = this.#handles.get(handle)
    if (!live) throw new HandleClosed('no such handle')
    return live
  }

  /**
   * A new handle on an account that is unlocked with this very table, if this credential has opened it before: clients that
   * log in often do not cost a stretch each. null: it must be opened the slow way, which is also the way of every wrong one.
   */
  reopen(account: string, tableMac: Bytes, credential: Bytes): number | null {
    const live = this.#accounts.get(account)
    if (!live || !equal(live.tableMac, tableMac)) return null
    const seen = this.#trace(account, credential)
    return live.seen.some((one) => equal(one, seen)) ? this.#hold(live) : null
  }

  /** A handle on what was just opened; `opened` is taken over, and dropped when the account is open already. */
  add(opened: UnlockedAccount, tableMac: Bytes, credential: Bytes): number {
    let live = this.#accounts.get(opened.account)
    if (live && !equal(live.tableMac, tableMac)) {
      this.endAll(opened.account)
      live = undefined
    }
    if (live) forget(opened)
    else {
      live = { ...opened, tableMac: Buffer.from(tableMac), handles: new Set(), seen: [], grace: null }
      this.#accounts.set(opened.account, live)
    }
    const seen = this.#trace(opened.account, credential)
    if (!live.seen.some((one) => equal(one, seen))) live.seen.push(seen)
    if (live.seen.length > SEEN_MAX) live.seen.shift()
    return this.#hold(live)
  }

  /** The last one starts the grace period. Idempotent. */
  close(handle: number): void {
    const live = this.#handles.get(handle)
    if (!live) return
    this.#handles.delete(handle)
    live.handles.delete(handle)
    if (live.handles.size > 0) return
    if (this.#graceMs === 0) this.endAll(live.account)
    else live.grace = this.#clock.after(this.#graceMs, () => this.endAll(live.account))
  }

  /** Wipes the account at once, whoever holds handles on it. */
  endAll(account: string): void {
    const live = this.#accounts.get(account)
    if (!live) return
    live.grace?.[Symbol.dispose]()
    for (const handle of live.handles) this.#handles.delete(handle)
    this.#accounts.delete(account)
    forget(live)
  }

  #hold(live: Live): number {
    live.grace?.[Symbol.dispose]()
    live.grace = null
    const handle = this.#nextHandle++
    live.handles.add(handle)
    this.#handles.set(handle, live)
    return handle
  }

  #trace(account: string, credential: Bytes): Buffer {
    const named = label('seen', account, credential)
    const trace = mac(this.#recognition, named)
    wipe(named)
    return trace
  }
}

function forget({ keys, indexKey }: UnlockedAccount): void {
  for (const key of keys) key.wipe()
  wipe(indexKey)
}
