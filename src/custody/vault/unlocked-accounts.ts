/**
 * The accounts that are unlocked now: their secret keys and index keys, the handles that sessions hold on them, and the grace
 * period after the last one. A handle that nobody uses ends by itself, so that a forgotten connection does not hold keys for
 * ever. Nothing else in the program keeps a secret for longer than one operation.
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

interface Handle {
  readonly live: Live
  usedAt: number
  /** Looks whether it was used meanwhile when it rings, so that a use costs no timer. */
  timer: Disposable | null
}

/** Different credentials of one account that are recognised at once. */
const SEEN_MAX = 8

export class UnlockedAccounts {
  readonly #clock: Clock
  readonly #graceMs: number
  readonly #idleMs: number
  readonly #accounts = new Map<string, Live>()
  readonly #handles = new Map<number, Handle>()
  readonly #recognition: KeyObject = createSecretKey(randomBytes(KEY_OCTETS))
  #nextHandle = 1

  /** `graceMs`: how long keys outlive the last handle; `idleMs`: how long an unused handle lives, 0 for ever. */
  constructor(clock: Clock, graceMs: number, idleMs = 0) {
    this.#clock = clock
    this.#graceMs = graceMs
    this.#idleMs = idleMs
  }

  get handles(): number {
    return this.#handles.size
  }

  get accounts(): number {
    return this.#accounts.size
  }

  /** For use now. Throws HandleClosed. */
  at(handle: number): UnlockedAccount {
    const held = this.#handles.get(handle)
    if (!held) throw new HandleClosed('no such handle')
    held.usedAt = this.#clock.now()
    return held.live
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
    const live = this.#handles.get(handle)?.live
    if (!live) return
    this.#drop(handle)
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
    for (const handle of live.handles) this.#drop(handle)
    this.#accounts.delete(account)
    forget(live)
  }

  #hold(live: Live): number {
    live.grace?.[Symbol.dispose]()
    live.grace = null
    const handle = this.#nextHandle++
    live.handles.add(handle)
    this.#handles.set(handle, { live, usedAt: this.#clock.now(), timer: null })
    if (this.#idleMs > 0) this.#watch(handle, this.#idleMs)
    return handle
  }

  /** Ends the handle when it was not used for as long as it may be. */
  #watch(handle: number, ms: number): void {
    const held = this.#handles.get(handle)
    if (!held) return
    held.timer = this.#clock.after(ms, () => {
      const left = held.usedAt + this.#idleMs - this.#clock.now()
      if (left > 0) this.#watch(handle, left)
      else this.close(handle)
    })
  }

  #drop(handle: number): void {
    this.#handles.get(handle)?.timer?.[Symbol.dispose]()
    this.#handles.delete(handle)
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
