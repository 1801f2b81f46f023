/** How many connections there may be: in all, from one address, before login, and of one account. */
import { networkOf } from '#lib/network.ts'

export interface ConnectionLimits {
  readonly connections: number
  readonly connectionsPerAddress: number
  /** Connections of all addresses that have not logged in. */
  readonly connectionsBeforeLogin: number
  readonly connectionsPerAccount: number
}

export interface Admission {
  /** The client has logged in: it no longer counts as a stranger. False when the account has too many connections. */
  login(account: string): boolean
  /** The connection is over. */
  leave(): void
}

export class ConnectionCounts {
  readonly #limits: ConnectionLimits
  readonly #addresses = new Map<string, number>()
  readonly #accounts = new Map<string, number>()
  #all = 0
  #strangers = 0

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get all(): number {
    return this.#all
  }

  /** Null when there is no room for this client. */
  admit(ip: string): Admission | null {
    const from = networkOf(ip)
    const limits = this.#limits
    if (this.#all >= limits.connections || this.#strangers >= limits.connectionsBeforeLogin) return null
    if ((this.#addresses.get(from) ?? 0) >= limits.connectionsPerAddress) return null
    this.#all++
    this.#strangers++
    add(this.#addresses, from, 1)
    let account: string | null = null
    let left = false
    return {
      login: (name) => {
        if ((this.#accounts.get(name) ?? 0) >= limits.connectionsPerAccount) return false
        account = name
        this.#strangers--
        add(this.#accounts, name, 1)
        return true
      },
      leave: () => {
        if (left) return
        left = true
        this.#all--
        add(this.#addresses, from, -1)
        if (account === null) this.#strangers--
        else add(this.#accounts, account, -1)
      },
    }
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
