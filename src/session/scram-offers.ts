/**
 * Whom SCRAM is offered. Programs that choose by themselves take it where it is offered, and with the account's own password fail
 * at it: after that, the address they come from is not offered it for a day, so that they go on with PLAIN. Who
 * insists is let in all the same, and by this process offered it again.
 */
const FORGOTTEN_AFTER_MS = 86_400_000
const ADDRESSES_MAX = 10_000

export class ScramOffers {
  /** Milliseconds since the epoch. */
  readonly #failed = new Map<string, number>()

  suits(ip: string, now: number): boolean {
    return now - (this.#failed.get(ip) ?? Number.NEGATIVE_INFINITY) >= FORGOTTEN_AFTER_MS
  }

  failed(ip: string, now: number): void {
    this.#failed.delete(ip)
    this.#failed.set(ip, now)
    // The oldest goes: it was soon to be forgotten.
    const [oldest] = this.#failed.keys()
    if (this.#failed.size > ADDRESSES_MAX && oldest !== undefined) this.#failed.delete(oldest)
  }

  worked(ip: string): void {
    this.#failed.delete(ip)
  }
}
