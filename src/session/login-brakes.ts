/**
 * The brakes on guessing: one per source and one per name tried, so that neither one guesser nor many sharing the work get far. That for
 * names is wider, since whoever pulls it keeps the owner out as well. Where several processes take logins, each tells the others.
 */
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'
import { networkOf } from '#lib/network.ts'
import { ScramOffers } from './scram-offers.ts'

const WINDOW_SECONDS = 600
/** Credentials from one source that are tried at the same time: the logins of others do not wait behind all of its guesses. */
const AT_ONCE = 2

export interface FailedLogin {
  /** A mail program that goes on trying the right password without the passphrase is no guesser, and costs as much as one. */
  readonly kind: 'wrong' | 'passphrase'
  readonly ip: string
  /** As tried, in one spelling. */
  readonly name: string
  /** When it was tried by SCRAM, milliseconds since the epoch. */
  readonly byScram?: number
}

interface Line {
  trying: number
  readonly waiting: (() => void)[]
}

export class LoginBrakes {
  readonly scramOffers = new ScramOffers()
  readonly #lines = new Map<string, Line>()
  readonly #perSource: RateLimiterMemory
  readonly #perName: RateLimiterMemory
  readonly #perSetting: RateLimiterMemory
  readonly #failures: number
  readonly #tell: (failed: FailedLogin) => void

  /** `failures` per ten minutes and network (lib/network.ts) before logins from there are put off; for one name, ten times as many. */
  constructor(failures: number, tell: (failed: FailedLogin) => void = () => {}) {
    this.#perSource = new RateLimiterMemory({ points: failures, duration: WINDOW_SECONDS })
    this.#perName = new RateLimiterMemory({ points: failures * 10, duration: WINDOW_SECONDS })
    this.#perSetting = new RateLimiterMemory({ points: failures * 10, duration: WINDOW_SECONDS })
    this.#failures = failures
    this.#tell = tell
  }

  /**
   * The turn to try a credential, given back once its failure is counted; null: braked. Guesses that come all at once are no more than
   * those that come one after the other.
   */
  async turn(ip: string, name: string): Promise<Disposable | null> {
    const source = networkOf(ip)
    for (;;) {
      const left = await this.#left(source, name)
      const line = this.#lines.get(source) ?? { trying: 0, waiting: [] }
      if (left <= 0) {
        line.waiting.shift()?.()
        return null
      }
      if (line.trying < Math.min(left, AT_ONCE)) {
        line.trying++
        this.#lines.set(source, line)
        return { [Symbol.dispose]: () => this.#leave(source, line) }
      }
      await new Promise<void>((resolve) => line.waiting.push(resolve))
    }
  }

  #leave(source: string, line: Line): void {
    line.trying--
    line.waiting.shift()?.()
    if (line.trying === 0 && line.waiting.length === 0) this.#lines.delete(source)
  }

  /** How many may still fail. */
  async #left(source: string, name: string): Promise<number> {
    const counted = await Promise.all([
      this.#perSource.get(source),
      this.#perName.get(name),
      this.#perSetting.get(settingOf(source, name)),
    ])
    return Math.min(...counted.map((found) => found?.remainingPoints ?? Number.POSITIVE_INFINITY), this.#failures)
  }

  async count(failed: FailedLogin): Promise<void> {
    this.#tell(failed)
    await this.learn(failed)
  }

  /** It happened in another process. */
  async learn({ kind, ip, name, byScram }: FailedLogin): Promise<void> {
    if (byScram !== undefined) this.scramOffers.failed(ip, byScram)
    // The limiter refuses what is over the limit; it is counted all the same.
    const source = networkOf(ip)
    if (kind === 'passphrase') {
      await this.#perSetting.consume(settingOf(source, name)).catch(() => {})
      return
    }
    await this.#perSource.consume(source).catch(() => {})
    await this.#perName.consume(name).catch(() => {})
  }
}

const settingOf = (source: string, name: string) => `${source} ${name}`
