/** One session's hold on an unlocked account, as the vault counts it. */

import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { Busy, WorkGate } from '#lib/work-gate.ts'
import type { AccountId } from '../accounts/directory.ts'
import { CONTENT_OCTETS_MAX, PKESK_OCTETS_MAX, PKESKS_MAX } from '../vault/protocol/protocol.ts'
import type { EscrowOpening } from '../vault/protocol/slot-table.ts'
import {
  NotWithThisCredential,
  SessionEnded,
  SessionKeysBroken,
  type SignWish,
  TooLargeToSign,
  type UnlockedKeys,
  VaultBusy,
} from './keyring.ts'
import { type VaultProcess, VaultRefusal } from './vault-process.ts'

export interface HandleDuties {
  readonly vault: VaultProcess
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Shared by all handles: one large message at a time crosses the socket. */
  readonly largeContents: WorkGate
  /** A handle that asked for nothing this long ends; 0 or left out for never. The vault ends it too, and cannot say so. */
  readonly idleMs?: number
  /** Called once, when the handle is of no more use. */
  readonly onEnd: (handle: UnlockedHandle) => void
}

/** What the vault said of it. */
export interface HandleFacts {
  readonly handle: number
  readonly slot: string
  readonly reads: boolean
  readonly signs: boolean
  readonly openings: readonly EscrowOpening[]
  /** Milliseconds since the epoch, when the credential that it came in by ends; null for never. */
  readonly expires: number | null
}

/** Larger contents are signed one at a time, so that what is on its way to the vault has a bound. */
const LARGE_OCTETS = 1024 * 1024
const LARGE_WAITING = 32

export const largeContentsGate = (): WorkGate => new WorkGate(1, LARGE_WAITING)

/** How far ahead a timer looks: one for months would ring at once. */
const LOOK_AHEAD_MS = 12 * 3_600_000

export class UnlockedHandle implements UnlockedKeys {
  readonly account: AccountId
  readonly slot: string
  readonly reads: boolean
  readonly signs: boolean
  readonly openings: readonly EscrowOpening[]
  readonly #handle: number
  readonly #duties: HandleDuties
  readonly #ended = new AbortController()
  readonly #since: number
  #taken = 0
  #requests = 0
  #isClosed = false
  #usedAt: number
  /** Looks whether it was used meanwhile when it rings, so that a use costs no timer. */
  #idle: Disposable | null = null
  #expiry: Disposable | null = null

  constructor(account: AccountId, facts: HandleFacts, duties: HandleDuties) {
    const { handle, slot, reads, signs, openings, expires } = facts
    this.account = account
    this.slot = slot
    this.reads = reads
    this.signs = signs
    this.openings = openings
    this.#handle = handle
    this.#duties = duties
    this.#since = duties.clock.now()
    this.#usedAt = this.#since
    if (duties.idleMs) this.#watch(duties.idleMs, duties.idleMs)
    if (expires !== null) this.#awaitExpiry(expires)
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  async sessionKeys(pkesks: readonly Bytes[]): Promise<readonly (Bytes | null)[]> {
    const taken: (Bytes | null)[] = []
    const broken: number[] = []
    for (let from = 0; from < pkesks.length; from += PKESKS_MAX) {
      // What no key of ours could have made is not asked for.
      const batch = pkesks
        .slice(from, from + PKESKS_MAX)
        .map((one) => (one.byteLength > PKESK_OCTETS_MAX ? NOTHING : one))
      const answers = await this.#ask(() =>
        this.#duties.vault.call('sessionKeys', { handle: this.#handle, pkesks: batch }),
      )
      for (const answer of answers) {
        if (answer.kind === 'broken') broken.push(taken.length)
        taken.push(answer.kind === 'key' ? answer.key : null)
      }
    }
    this.#count(taken, broken.length)
    if (broken.length > 0) throw new SessionKeysBroken(broken, taken)
    return taken
  }

  async indexKey(): Promise<Bytes> {
    const [newest, ...older] = await this.#indexKeys()
    for (const key of older) wipe(key)
    return newest!
  }

  async olderIndexKeys(): Promise<readonly Bytes[]> {
    const [newest, ...older] = await this.#indexKeys()
    if (newest) wipe(newest)
    return older
  }

  #indexKeys(): Promise<readonly Bytes[]> {
    return this.#ask(() => this.#duties.vault.call('indexKeys', { handle: this.#handle }))
  }

  async sign(content: Bytes, created: number, { purpose = 'mail', recipients = [] }: SignWish = {}): Promise<Bytes> {
    if (content.byteLength > CONTENT_OCTETS_MAX) throw new TooLargeToSign()
    const request = { handle: this.#handle, content, purpose, created, recipients }
    const call = async () => (await this.#ask(() => this.#duties.vault.call('sign', request))).signature
    if (content.byteLength <= LARGE_OCTETS) return call()
    try {
      return await this.#duties.largeContents.run(call)
    } catch (error) {
      throw error instanceof Busy ? new VaultBusy('too many large messages wait to be signed') : error
    }
  }

  /** The other side has ended it. */
  end(): void {
    if (this.#ended.signal.aborted) return
    this.#leave()
    this.#ended.abort(new SessionEnded('the session was ended'))
  }

  /** Ends it here and in the vault, where the others of the account live on. */
  async endAlone(): Promise<void> {
    this.end()
    await this.#release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#leave()
    await this.#release()
  }

  #watch(idleMs: number, ms: number): void {
    this.#idle = this.#duties.clock.after(ms, () => {
      const left = this.#usedAt + idleMs - this.#duties.clock.now()
      if (left > 0) return this.#watch(idleMs, left)
      void this.endAlone()
    })
  }

  #awaitExpiry(expires: number): void {
    const left = expires - this.#duties.clock.now()
    this.#expiry = this.#duties.clock.after(Math.min(Math.max(left, 0), LOOK_AHEAD_MS), () => {
      if (expires > this.#duties.clock.now()) this.#awaitExpiry(expires)
      else void this.endAlone()
    })
  }

  /** The vault's part; it has done it already where it is gone. */
  async #release(): Promise<void> {
    await this.#duties.vault.call('close', { handle: this.#handle }).catch(() => {})
  }

  #leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#idle?.[Symbol.dispose]()
    this.#expiry?.[Symbol.dispose]()
    const { account } = this
    const seconds = Math.round((this.#duties.clock.now() - this.#since) / 1000)
    this.#duties.logger.info({ account, requests: this.#requests, keys: this.#taken, seconds }, 'account closed')
    this.#duties.onEnd(this)
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new SessionEnded('the session has ended')
    this.#usedAt = this.#duties.clock.now()
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof VaultRefusal)) throw error
      if (error.why === 'forbidden') throw new NotWithThisCredential()
      if (error.why !== 'closed') throw error
      this.end()
      throw new SessionEnded('the session has ended')
    }
  }

  #count(taken: readonly (Bytes | null)[], broken: number): void {
    const keys = taken.filter((one) => one !== null).length
    this.#requests++
    this.#taken += keys
    this.#duties.metrics.count('session_keys', { outcome: 'taken' }, keys)
    this.#duties.metrics.count('session_keys', { outcome: 'broken' }, broken)
    this.#duties.metrics.count('session_keys', { outcome: 'foreign' }, taken.length - keys - broken)
  }
}

const NOTHING = new Uint8Array(0)
