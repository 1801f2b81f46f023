/** Who may connect, and how often one address may ask. */
import type { Clock } from '#lib/clock.ts'
import { networkOf } from '#lib/network.ts'
import type { HkpLimits } from './limits.ts'

const MINUTE = 60_000
/** Addresses counted one by one in a minute; all others are counted together. */
const MOST_COUNTED = 50_000
const OTHERS = 'others'

export class Admission {
  readonly #limits: HkpLimits
  readonly #clock: Clock
  readonly #connections = new Map<string, number>()
  readonly #lookups = new Map<string, number>()
  #open = 0
  #minute: number

  constructor(limits: HkpLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#minute = clock.now()
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open
  }

  /** The network of the client, to be told again when it leaves; null when there is no room. */
  enter(ip: string): string | null {
    const network = networkOf(ip)
    const here = this.#connections.get(network) ?? 0
    if (this.#open >= this.#limits.connections || here >= this.#limits.connectionsPerAddress) return null
    this.#open++
    this.#connections.set(network, here + 1)
    return network
  }

  leave(network: string): void {
    this.#open--
    const left = this.#connections.get(network)! - 1
    if (left > 0) this.#connections.set(network, left)
    else this.#connections.delete(network)
  }

  /** Counts one lookup. Answers after how many seconds the next one is welcome; 0 for at once. */
  lookup(network: string): number {
    const now = this.#clock.now()
    if (now - this.#minute >= MINUTE || now < this.#minute) {
      this.#minute = now
      this.#lookups.clear()
    }
    const name = this.#lookups.size < MOST_COUNTED || this.#lookups.has(network) ? network : OTHERS
    const count = (this.#lookups.get(name) ?? 0) + 1
    this.#lookups.set(name, count)
    return count <= this.#limits.lookups ? 0 : Math.ceil((this.#minute + MINUTE - now) / 1000)
  }
}
