import type { AccountId } from '../accounts/directory.ts'
import type { Change, ChangeListener, MailboxId, MailChanges } from './mail-store.ts'

export type ChangesMade = (account: AccountId, mailbox: MailboxId, change: Change) => void

const MAIL: Change = { kind: 'mail' }

/** Who listens to which account. `watched` is told when the first one comes and the last one goes. */
export class ChangeHub implements MailChanges {
  readonly #listeners = new Map<AccountId, Set<ChangeListener>>()
  readonly #watched: (account: AccountId, watched: boolean) => void
  readonly #made: ChangesMade

  /** `made` is told of every change that is made here, whether anybody listens or not. */
  constructor(watched: (account: AccountId, watched: boolean) => void = () => {}, made: ChangesMade = () => {}) {
    this.#watched = watched
    this.#made = made
  }

  subscribe(account: AccountId, listener: ChangeListener): Disposable {
    // A function of our own, so that the same listener may be given twice.
    const told: ChangeListener = (mailbox, change) => listener(mailbox, change)
    const listeners = this.#listeners.get(account) ?? new Set()
    listeners.add(told)
    this.#listeners.set(account, listeners)
    if (listeners.size === 1) this.#watched(account, true)
    return {
      [Symbol.dispose]: () => {
        if (!listeners.delete(told) || listeners.size > 0) return
        this.#listeners.delete(account)
        this.#watched(account, false)
      },
    }
  }

  /** It was changed here. */
  notify(account: AccountId, mailbox: MailboxId, change: Change = MAIL): void {
    this.#made(account, mailbox, change)
    this.hear(account, mailbox, change)
  }

  /** It was changed elsewhere. */
  hear(account: AccountId, mailbox: MailboxId, change: Change = MAIL): void {
    for (const listener of this.#listeners.get(account) ?? []) listener(mailbox, change)
  }

  accounts(): readonly AccountId[] {
    return [...this.#listeners.keys()]
  }
}
