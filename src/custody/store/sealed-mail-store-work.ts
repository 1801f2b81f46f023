import type { Claims } from '#lib/claims.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { ContentId } from './indexed-mail-store.ts'
import { OpenPages } from './sealed-mail-store-pages.ts'

/** What the sessions of an account need to know of each other. */
export class SharedWork {
  readonly pages = new OpenPages()
  readonly #claims: Claims
  readonly #unsealing = new Map<string, Promise<void>>()

  constructor(claims: Claims) {
    this.#claims = claims
  }

  /** null: another session is at it, here or in another process. Otherwise dispose when done. */
  startFolding(account: AccountId): Promise<Disposable | null> {
    return this.#claims.take(`folding ${account}`)
  }

  /** Takes a content that is to be unsealed; dispose when done. When another session is at it, the end of that instead. */
  startUnsealing(account: AccountId, content: ContentId): Disposable | Promise<void> {
    const key = `${account}/${content}`
    const running = this.#unsealing.get(key)
    if (running) return running
    const done = Promise.withResolvers<void>()
    this.#unsealing.set(key, done.promise)
    return {
      [Symbol.dispose]: () => {
        if (this.#unsealing.get(key) === done.promise) this.#unsealing.delete(key)
        done.resolve()
      },
    }
  }
}
