/**
 * The accounts that are unlocked now: their secret keys and index keys, the handles that sessions hold on them, and the grace
 * period after the last one. A handle that nobody uses ends by itself, so that a forgotten connection does not hold keys for ever.
 * Nothing else in the program keeps a secret for longer than one operation. Each handle has the rights of the slot that it came in
 * by, and those alone.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { SecretKeys } from '#formats/openpgp/secret-key.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { collectSoon } from './collect.ts'
import { type Credential, type CredentialUse, type Grant, permits } from './credentials.ts'
import { equal, KEY_OCTETS, label, mac } from './key-derivation.ts'

/** What a session can do with its account. */
export interface UnlockedAccount {
  readonly account: string
  /** The one of the current certificate first. */
  readonly keys: readonly SecretKeys[]
  /** Fingerprint of the certificate that others write to, empty when its secret is not here: its key signs mail. */
  readonly endToEnd: string
  /** Newest first. */
  readonly indexKeys: readonly Buffer[]
}

/** The handle was closed, or never given out. */
export class HandleClosed extends Error {
  override readonly name = 'HandleClosed'
}

/** The credential that this handle came in by does not go so far. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden'
}

interface Seen {
  /** Of a credential that opened it, under a key that dies with this process. */
  readonly trace: Buffer
  readonly grant: Grant
}

interface Live extends UnlockedAccount {
  /** The MAC of the keyslot table that it was unlocked with: another table, another unlocking. */
  readonly tableMac: Buffer
  readonly handles: Set<number>
  readonly seen: Seen[]
  grace: Disposable | null
}

interface Handle {
  readonly account: string
  /** null: the credential opened nothing. */
  readonly live: Live | null
  readonly grant: Grant
  usedAt: number
  /** Looks whether it was used meanwhile when it rings, so that a use costs no timer. */
  timer: Disposable | null
}

export interface Entrance {
  readonly handle: number
  readonly grant: Grant
}

/** How somebody came in. */
export interface Entry {
  /** To be recognised by; null for what is never shown twice. */
  readonly credential: Credential | null
  readonly grant: Grant
}

/** `states`: declares something to the provider, which its owner does in person. */
type Right = 'reads' | 'signs' | 'states'

const allows = (grant: Grant, right: Right): boolean => (right === 'states' ? grant.scope === '' : grant[right])

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

  /** For use now. Throws HandleClosed, Forbidden. */
  at(handle: number, right: Right): UnlockedAccount {
    const held = this.#handles.get(handle)
    if (!held) throw new HandleClosed('no such handle')
    const now = this.#clock.now()
    if (held.grant.expires !== null && held.grant.expires <= now) {
      this.close(handle)
      throw new HandleClosed('the credential has expired')
    }
    held.usedAt = now
    if (!held.live || !allows(held.grant, right)) throw new Forbidden('not with this credential')
    return held.live
  }

  /**
   * A new handle on an account that is unlocked with this very table, if this credential has opened it before: clients that
   * log in often do not cost a stretch each. null: it must be opened the slow way, which is also the way of every wrong one.
   */
  reopen(
    { account, mac: tableMac }: { readonly account: string; readonly mac: Bytes },
    credential: Credential,
    { use, now }: { readonly use: CredentialUse; readonly now: number },
  ): Entrance | null {
    const live = this.#accounts.get(account)
    if (!live || !equal(live.tableMac, tableMac)) return null
    const trace = this.#trace(account, credential)
    const seen = live.seen.find((one) => equal(one.trace, trace))
    return seen && permits(seen.grant, use, now) ? this.#hold(live, seen.grant) : null
  }

  /** A new handle for somebody who has opened this very table, where it is unlocked already. */
  join({ account, mac: tableMac }: { readonly account: string; readonly mac: Bytes }, grant: Grant): Entrance | null {
    const live = this.#accounts.get(account)
    return live && equal(live.tableMac, tableMac) ? this.#hold(live, grant) : null
  }

  /** A handle on what was just opened; `opened` is taken over, and dropped when the account is open already. */
  add(opened: UnlockedAccount, tableMac: Bytes, { credential, grant }: Entry): Entrance {
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
    if (credential) this.#remember(live, credential, grant)
    return this.#hold(live, grant)
  }

  #remember(live: Live, credential: Credential, grant: Grant): void {
    const trace = this.#trace(live.account, credential)
    if (!live.seen.some((one) => equal(one.trace, trace))) live.seen.push({ trace, grant })
    if (live.seen.length > SEEN_MAX) live.seen.shift()
  }

  /** A handle for a credential that opens nothing. */
  addProof(account: string, grant: Grant): Entrance {
    return this.#enter(account, null, grant)
  }

  /** The last one starts the grace period. Idempotent. */
  close(handle: number): void {
    const live = this.#handles.get(handle)?.live
    this.#drop(handle)
    if (!live?.handles.delete(handle) || live.handles.size > 0) return
    if (this.#graceMs === 0) this.#wipe(live)
    else live.grace = this.#clock.after(this.#graceMs, () => this.#wipe(live))
  }

  /** Wipes the account at once, whoever holds handles on it. */
  endAll(account: string): void {
    const live = this.#accounts.get(account)
    if (live) this.#wipe(live)
    for (const [handle, held] of this.#handles) if (held.account === account) this.#drop(handle)
  }

  #wipe(live: Live): void {
    live.grace?.[Symbol.dispose]()
    for (const handle of live.handles) this.#drop(handle)
    if (this.#accounts.get(live.account) === live) this.#accounts.delete(live.account)
    forget(live)
  }

  #hold(live: Live, grant: Grant): Entrance {
    live.grace?.[Symbol.dispose]()
    live.grace = null
    const entrance = this.#enter(live.account, live, grant)
    live.handles.add(entrance.handle)
    return entrance
  }

  #enter(account: string, live: Live | null, grant: Grant): Entrance {
    const handle = this.#nextHandle++
    this.#handles.set(handle, { account, live, grant, usedAt: this.#clock.now(), timer: null })
    if (this.#idleMs > 0) this.#watch(handle, this.#idleMs)
    return { handle, grant }
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

  #trace(account: string, { password, passphrase }: Credential): Buffer {
    const named = label('seen', account, password, passphrase)
    const trace = mac(this.#recognition, named)
    wipe(named)
    return trace
  }
}

function forget({ keys, indexKeys }: UnlockedAccount): void {
  for (const key of keys) key.wipe()
  for (const key of indexKeys) wipe(key)
  collectSoon()
}
