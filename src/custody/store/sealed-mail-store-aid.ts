/** Asks a session's UnsealingAid with patience that ends: whoever answers late, or not at all, holds up no mail. */

import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { ScanVerdict, Signers, UnsealingAid } from './unsealing-aid.ts'

export type OwnKeys = Awaited<ReturnType<UnsealingAid['own']>>

export const PATIENCE_MS = 20_000
/** After an answer that did not come nothing is asked for so long. */
export const REST_MS = 60_000
const LONGEST_TROUBLE = 500

export class PatientAid {
  readonly #aid: UnsealingAid
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #closed = Promise.withResolvers<null>()
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor(aid: UnsealingAid, clock: Clock, logger: Logger) {
    this.#aid = aid
    this.#clock = clock
    this.#logger = logger
  }

  get authservId(): string {
    return this.#aid.authservId
  }

  now(): number {
    return this.#aid.now()
  }

  /** null: it is not known now. */
  own(): Promise<OwnKeys | null> {
    return this.#ask('own', () => this.#aid.own())
  }

  async signers(author: string, issuers: readonly string[]): Promise<Signers> {
    const found = await this.#ask('signers', () => this.#aid.signers(author, issuers))
    if (!found) return { certificates: [], trouble: 'nobody could say whose keys these are' }
    return { ...found, trouble: found.trouble?.slice(0, LONGEST_TROUBLE) ?? null }
  }

  async scan(message: Bytes): Promise<ScanVerdict> {
    return (await this.#ask('scan', () => this.#aid.scan(message))) ?? 'unscanned'
  }

  /** The session ends: nobody waits any longer. */
  close(): void {
    this.#restsUntil = Number.POSITIVE_INFINITY
    this.#closed.resolve(null)
  }

  async #ask<T>(asked: string, ask: () => Promise<T>): Promise<T | null> {
    if (this.#clock.now() < this.#restsUntil) return null
    const late = Promise.withResolvers<never>()
    using _ = this.#clock.after(PATIENCE_MS, () => {
      this.#restsUntil = Math.max(this.#restsUntil, this.#clock.now() + REST_MS)
      late.reject(new Error('no answer in time'))
    })
    try {
      return await Promise.race([this.#closed.promise, ask(), late.promise])
    } catch (error) {
      this.#logger.info({ asked, error: error as Error }, 'no answer about mail that its sender sealed')
      return null
    }
  }
}
