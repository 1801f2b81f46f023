/**
 * The brakes on guessing: one per source and one per name tried, so that neither one guesser nor many sharing the work get far. That for
 * names is wider, since whoever pulls it keeps the owner out as well. Where several processes take logins, each tells the others.
 */
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'
import { ScramOffers } from './scram-offers.ts'

const WINDOW_SECONDS = 600

export interface FailedLogin {
  /** A mail program that goes on trying the right password without the passphrase is no guesser, and costs as much as one. */
  readonly kind: 'wrong' | 'passphrase'
  readonly ip: string
  /** As tried, in lower case. */
  readonly name: string
  /** When it was tried by SCRAM, milliseconds since the epoch. */
  readonly byScram?: number
}

export class LoginBrakes {
  readonly scramOffers = new ScramOffers()
  readonly #perIp: RateLimiterMemory
  readonly #perName: RateLimiterMemory
  readonly #perSetting: RateLimiterMemory
  readonly #tell: (failed: FailedLogin) => void

  /** `failures` per ten minutes and IP address before logins from there are put off; for one name, ten times as many. */
  constructor(failures: number, tell: (failed: FailedLogin) => void = () => {}) {
    this.#perIp = new RateLimiterMemory({ points: failures, duration: WINDOW_SECONDS })
    this.#perName = new RateLimiterMemory({ points: failures * 10, duration: WINDOW_SECONDS })
    this.#perSetting = new RateLimiterMemory({ points: failures * 10, duration: WINDOW_SECONDS })
    this.#tell = tell
  }

  async isBraked(ip: string, name: string): Promise<boolean> {
    const [perIp, perName, perSetting] = [this.#perIp, this.#perName, this.#perSetting]
    const counted = [await perIp.get(ip), await perName.get(name), await perSetting.get(settingOf(ip, name))]
    return counted.some((found) => (found?.remainingPoints ?? 1) <= 0)
  }

  async count(failed: FailedLogin): Promise<void> {
    this.#tell(failed)
    await this.learn(failed)
  }

  /** It happened in another process. */
  async learn({ kind, ip, name, byScram }: FailedLogin): Promise<void> {
    if (byScram !== undefined) this.scramOffers.failed(ip, byScram)
    // The limiter refuses what is over the limit; it is counted all the same.
    if (kind === 'passphrase') {
      await this.#perSetting.consume(settingOf(ip, name)).catch(() => {})
      return
    }
    await this.#perIp.consume(ip).catch(() => {})
    await this.#perName.consume(name).catch(() => {})
  }
}

const settingOf = (ip: string, name: string) => `${ip} ${name}`
