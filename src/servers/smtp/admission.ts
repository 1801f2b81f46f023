import type { Clock } from '#lib/clock.ts'
import { networkOf } from '#lib/network.ts'
import type { SmtpLimits } from './limits.ts'

const NETWORKS_KEPT = 10_000

/** Who may connect, and who has failed to log in too often. */
export class Admission {
  readonly #limits: SmtpLimits
  readonly #clock: Clock
  readonly #connections = new Map<string, number>()
  readonly #failures = new Map<string, { count: number; readonly since: number }>()
  #open = 0
  #anonymous = 0

  constructor(limits: SmtpLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open
  }

  /** null: there is no room. `loginWanted`: it counts as not logged in until `loggedIn`. */
  admit(ip: string, loginWanted: boolean): Admitted | null {
    const network = networkOf(ip)
    const here = this.#connections.get(network) ?? 0
    const { connections, connectionsPerAddress, connectionsBeforeLogin } = this.#limits
    if (this.#open >= connections || here >= connectionsPerAddress) return null
    if (loginWanted && this.#anonymous >= connectionsBeforeLogin) return null
    this.#open++
    this.#connections.set(network, here + 1)
    let anonymous = loginWanted
    if (anonymous) this.#anonymous++
    const loggedIn = () => {
      if (anonymous) this.#anonymous--
      anonymous = false
    }
    return {
      loggedIn,
      [Symbol.dispose]: () => {
        loggedIn()
        this.#open--
        const left = (this.#connections.get(network) ?? 1) - 1
        if (left > 0) this.#connections.set(network, left)
        else this.#connections.delete(network)
      },
    }
  }

  loginFailed(ip: string): void {
    const network = networkOf(ip)
    const counted = this.#counted(network)
    if (counted) counted.count++
    else {
      if (this.#failures.size >= NETWORKS_KEPT) this.#failures.delete(this.#failures.keys().next().value!)
      this.#failures.set(network, { count: 1, since: this.#clock.now() })
    }
  }

  mayLogin(ip: string): boolean {
    return (this.#counted(networkOf(ip))?.count ?? 0) < this.#limits.failedLoginsPerAddress
  }

  #counted(network: string): { count: number } | null {
    const found = this.#failures.get(network)
    if (!found) return null
    if (this.#clock.now() - found.since < this.#limits.failedLoginWindowMs) return found
    this.#failures.delete(network)
    return null
  }
}

export interface Admitted extends Disposable {
  loggedIn(): void
}
