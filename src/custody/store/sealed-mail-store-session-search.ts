import type { TextQuery } from '#formats/message/message-text.ts'
import type { Searchable } from './indexed-mail-store.ts'
import type { MailboxId, TextMatches, Uid } from './mail-store.ts'
import type { Searches } from './sealed-mail-store-searches.ts'
import type { AccountSearch, SearchingSession } from './sealed-mail-store-searching.ts'

/** One session's part in the index of its account's texts. */
export class SessionSearch implements AsyncDisposable {
  readonly #searches: Searches
  readonly #session: SearchingSession
  #joined: Promise<AccountSearch> | null = null
  /** Settles when no search is under way. */
  #searching: Promise<unknown> = Promise.resolve()
  #isFolded = false
  /** A line in the log says that the index cannot be used. */
  #isComplained = false
  #closed = false

  /** Begins to index once `folded`: listings are wanted sooner than searches, and searches need them too. */
  constructor(searches: Searches, session: SearchingSession, folded: Promise<void>) {
    this.#searches = searches
    this.#session = session
    // Whoever searches hears of what goes wrong.
    folded
      .then(() => {
        this.#isFolded = true
        return this.#join()
      })
      .catch(() => {})
  }

  async #join(): Promise<AccountSearch | null> {
    if (this.#closed) return null
    this.#joined ??= this.#searches.join(this.#session)
    const search = await this.#joined.catch((error) => {
      this.#joined = null
      throw error
    })
    if (this.#isFolded) search.wake()
    return search
  }

  async textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    const matches = this.#textMatches(mailbox, queries)
    this.#searching = Promise.allSettled([this.#searching, matches])
    return matches
  }

  /** Where the index cannot be used, whatever is wrong with it, the messages are there all the same. */
  async #textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    const { account, searchable } = this.#session
    try {
      const search = await this.#join()
      if (!search) return await allOpen(searchable, mailbox, queries)
      const matches = await search.textMatches(searchable, mailbox, queries)
      await this.#searches.used(account)
      return matches
    } catch (error) {
      const matches = await allOpen(searchable, mailbox, queries)
      this.#complain(error as Error)
      return matches
    }
  }

  /** Those of these messages, which the index left open, that match, in their order. */
  async verify(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    const matching = this.#verify(mailbox, uids, query)
    this.#searching = Promise.allSettled([this.#searching, matching])
    return matching
  }

  async #verify(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    const { account, mail } = this.#session
    try {
      const search = await this.#join()
      const matching = await search?.verify(this.#session, { mailbox, uids, query })
      if (matching) {
        await this.#searches.used(account)
        return matching
      }
    } catch (error) {
      this.#complain(error as Error)
    }
    const { matchingUids } = await import('./read-search.ts')
    return matchingUids(mail, mailbox, uids, query)
  }

  #complain(error: Error): void {
    if (!this.#isComplained) this.#searches.complain(this.#session.account, error)
    this.#isComplained = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#searching
    await this.#joined?.catch(() => {})
    await this.#searches.leave(this.#session)
  }
}

/** Without an index. */
export async function allOpen(
  searchable: Searchable,
  mailbox: MailboxId,
  queries: readonly TextQuery[],
): Promise<readonly TextMatches[]> {
  const { uids } = (await searchable.mailbox(mailbox, null))!
  return queries.map(() => ({ yes: new Uint32Array(), open: uids.slice() }))
}

/** How many messages the index on the disk has; needs no keys. */
export async function documentsIndexed({ files }: Searchable): Promise<number> {
  const [{ MANIFEST }, { countOf }] = await Promise.all([
    import('../search/manifest.ts'),
    import('../search/sealed-files.ts'),
  ])
  // Where it cannot be read, searches do without it, too.
  const manifest = await files.read(MANIFEST).catch(() => null)
  return (manifest && countOf(manifest)) ?? 0
}
