/** The search index of one account at work: what it answers for mailboxes, and how it takes in messages in the background. */
import { fold } from '#formats/message/fold.ts'
import type { MessageText, TextQuery } from '#formats/message/message-text.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { OPEN, SearchIndex, YES } from '../search/search-index.ts'
import type { FoldedQuery } from '../search/shard-query.ts'
import type { ContentId, ContentRun, MailboxContents, PlacedContent, Searchable } from './indexed-mail-store.ts'
import type { AccountMail, MailboxId, TextMatches, Uid } from './mail-store.ts'
import { matchingUids } from './read-search.ts'
import { everyContent, GROUP, groupOf, takeIn } from './sealed-mail-store-taking.ts'
import { runsOf } from './uid-sets.ts'

/** What is written down already need not stay in memory while an index is made. */
const HELD_OCTETS = 100_000_000
/** Mailboxes whose messages are remembered. */
const MAILBOXES_KEPT = 16
/** When another process makes the index: until it is looked whether that left something to do. */
const TAKEN_MS = 30_000
/** What is deleted stays in the index until there is much of it. */
const DEAD_SPARED = 64
const DEAD_SHARE = 1.25
const EVERYTHING: ContentRun = { first: 1, last: Number.MAX_SAFE_INTEGER }

/** A session with keys, as the index of its account uses it. */
export interface SearchingSession {
  readonly account: AccountId
  readonly searchable: Searchable
  readonly mail: Pick<AccountMail, 'messages'>
  /** How many contents there are. */
  contents(): Promise<number>
  /** Resolves when nobody is reading mail, or after a while. */
  quiet(): Promise<void>
  /** Derived from the index keys, newest first; the caller's to wipe. */
  keys(): Promise<readonly Bytes[]>
}

interface Around {
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds for which new messages are gathered. */
  readonly gatherMs: number
}

export async function openAccountSearch(
  session: SearchingSession,
  sessions: ReadonlySet<SearchingSession>,
  around: Around,
): Promise<AccountSearch> {
  const { account, searchable } = session
  const keys = await session.keys()
  const index = await SearchIndex.open({ account, keys, files: searchable.files, logger: around.logger })
  return new AccountSearch(index, sessions, around)
}

export class AccountSearch implements AsyncDisposable {
  readonly #index: SearchIndex
  readonly #sessions: ReadonlySet<SearchingSession>
  readonly #around: Around
  readonly #mailboxes = new Map<MailboxId, MailboxContents>()
  #running: Promise<void> | null = null
  #step: Promise<unknown> = Promise.resolve()
  #turn: Promise<unknown> = Promise.resolve()
  #claim: Promise<Disposable | null> | null = null
  #claimants = 0
  #isFinishing = false
  #again = false
  #swept = false
  #later: Disposable | null = null
  #closed = false
  /** When somebody searched last; 0: nobody has. */
  lastUsed = 0

  constructor(index: SearchIndex, sessions: ReadonlySet<SearchingSession>, around: Around) {
    this.#index = index
    this.#sessions = sessions
    this.#around = around
  }

  /** Octets in memory. */
  get weight(): number {
    return this.#index.weight
  }

  /** Messages that are indexed. */
  get documents(): number {
    return this.#index.documents
  }

  release(): Promise<void> {
    return this.#index.release()
  }

  async textMatches(
    searchable: Searchable,
    mailbox: MailboxId,
    queries: readonly TextQuery[],
  ): Promise<readonly TextMatches[]> {
    this.lastUsed = this.#around.clock.now()
    const { uids, contents } = await this.#contentsOf(searchable, mailbox)
    const folded = queries.map((query) => ({ ...query, folded: fold(query.text) }))
    const states = await this.#index.match(contents, folded)
    return states.map((known) => ({ yes: uidsThatAre(YES, known, uids), open: uidsThatAre(OPEN, known, uids) }))
  }

  /**
   * Those of these messages, which no index covers, that match. They are taken in while they are open, so that nobody opens them again;
   * null: that cannot be now, and nobody is made to wait for it.
   */
  async verify(
    session: SearchingSession,
    { mailbox, uids, query }: { readonly mailbox: MailboxId; readonly uids: readonly Uid[]; readonly query: TextQuery },
  ): Promise<readonly Uid[] | null> {
    if (this.#isFinishing) return null
    this.lastUsed = this.#around.clock.now()
    const places = await session.searchable.places(mailbox, uids)
    const folded = { ...query, folded: fold(query.text) }
    const matches = new Map<ContentId, boolean>()
    const see = (content: ContentId, text: MessageText | null) =>
      void matches.set(content, text?.matches(query, folded.folded) ?? false)
    const done = await this.#claimed(session, () => this.#alone(() => this.#takeNow(session, places, see)))
    if (!done) return null
    // Those that somebody else took in meanwhile.
    const others = places.filter(({ content }) => !matches.has(content))
    const open: Uid[] = []
    for (const [index, state] of (await this.#known(others, folded)).entries()) {
      const { content, uid } = others[index]!
      if (state === OPEN) open.push(uid)
      else matches.set(content, state === YES)
    }
    const matching = new Set(await matchingUids(session.mail, mailbox, open, query))
    for (const { content, uid } of places) if (matches.get(content)) matching.add(uid)
    this.wakeLater()
    return uids.filter((uid) => matching.has(uid))
  }

  async #known(places: readonly PlacedContent[], query: FoldedQuery): Promise<Uint8Array> {
    if (places.length === 0) return new Uint8Array()
    const [known] = await this.#index.match(Float64Array.from(places.map(({ content }) => content)), [query])
    return known!
  }

  async #takeNow(
    session: SearchingSession,
    places: readonly PlacedContent[],
    see: (content: ContentId, text: MessageText | null) => void,
  ): Promise<void> {
    for (let left = places; left.length > 0; ) {
      const group = groupOf(left)
      left = left.slice(group.length)
      const seen = new Set<ContentId>()
      await takeIn(this.#index, session, group, (content, text) => {
        seen.add(content)
        see(content, text)
      })
      await this.#index.flush()
      const ids = [...seen].sort((a, b) => a - b)
      for (const { first, last } of runsOf(ids, 1)) await this.#index.cover(first, last)
    }
  }

  async #contentsOf(searchable: Searchable, mailbox: MailboxId): Promise<MailboxContents> {
    const known = this.#mailboxes.get(mailbox)
    const found = (await searchable.mailbox(mailbox, known?.revision ?? null)) ?? known!
    this.#mailboxes.delete(mailbox)
    this.#mailboxes.set(mailbox, found)
    if (this.#mailboxes.size > MAILBOXES_KEPT) this.#mailboxes.delete(this.#mailboxes.keys().next().value!)
    return found
  }

  /** Takes in what is not in the index yet, the newest first, as long as there are sessions. */
  wake(): void {
    this.#later?.[Symbol.dispose]()
    this.#later = null
    this.#again = true
    if (this.#closed) return
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
  }

  /** The same, soon: others may follow. */
  wakeLater(): void {
    this.#wakeAfter(this.#around.gatherMs)
  }

  #wakeAfter(ms: number): void {
    if (!this.#closed) this.#later ??= this.#around.clock.after(ms, () => this.wake())
  }

  /** Resolves when no message is being read. */
  async settled(): Promise<void> {
    await this.#step
  }

  get #session(): SearchingSession | null {
    return this.#closed ? null : (this.#sessions.values().next().value ?? null)
  }

  async #run(): Promise<void> {
    const session = this.#session
    if (!session) return
    try {
      while (this.#again) {
        this.#again = false
        if (await this.#hasWork(session)) {
          const done = await this.#claimed(session, () => this.#work())
          if (!done) this.#wakeAfter(TAKEN_MS)
        }
        // An index that is only kept up to date needs no memory.
        if (this.lastUsed === 0) await this.#index.release()
      }
    } catch (error) {
      const { account } = session
      this.#around.logger.warn({ account, error: error as Error }, 'stopped indexing texts for now')
    }
  }

  async #hasWork({ searchable }: SearchingSession): Promise<boolean> {
    return this.#index.isOld || (await this.#gap(searchable)) !== null
  }

  async #gap(searchable: Searchable): Promise<ContentRun | null> {
    const [newest] = await searchable.placed(EVERYTHING, 1)
    return newest ? this.#index.covered.gapBelow(newest.content) : null
  }

  /** Runs what changes the files, as others here may at the same time. false: another process is at it. */
  async #claimed(session: SearchingSession, run: () => Promise<void>): Promise<boolean> {
    this.#claim ??= this.#takeClaim(session)
    this.#claimants++
    let claim: Disposable | null = null
    try {
      claim = await this.#claim
      if (claim) await run()
      return claim !== null
    } finally {
      if (--this.#claimants === 0) {
        this.#claim = null
        claim?.[Symbol.dispose]()
      }
    }
  }

  async #takeClaim({ searchable }: SearchingSession): Promise<Disposable | null> {
    const claim = await searchable.files.claim()
    try {
      if (claim) await this.#index.refresh()
      return claim
    } catch (error) {
      claim?.[Symbol.dispose]()
      throw error
    }
  }

  /** One after the other takes messages in. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #work(): Promise<void> {
    if (!this.#swept) await this.#index.sweep()
    this.#swept = true
    let isNew = false
    for (;;) {
      await this.#session?.quiet()
      if (!(await this.#stepped())) break
      isNew = true
    }
    await this.#alone(() => this.#finish(isNew))
  }

  async #finish(isNew: boolean): Promise<void> {
    this.#isFinishing = true
    try {
      await this.#index.commit()
      await this.#tidy(isNew)
    } finally {
      this.#isFinishing = false
    }
  }

  /** false: there is nothing to do, or nobody with keys. */
  #stepped(): Promise<boolean> {
    const session = this.#session
    if (!session) return Promise.resolve(false)
    const step = this.#alone(() => this.#takeSome(session))
    this.#step = step.catch(() => {})
    return step
  }

  async #takeSome(session: SearchingSession): Promise<boolean> {
    const { searchable } = session
    const gap = await this.#gap(searchable)
    if (!gap) return false
    const found = await searchable.placed(gap, GROUP)
    const group = groupOf(found)
    await takeIn(this.#index, session, group)
    await this.#index.flush()
    const isRest = found.length < GROUP && group.length === found.length
    await this.#index.cover(isRest ? gap.first : group.at(-1)!.content, gap.last)
    if (this.#index.weight > HELD_OCTETS) await this.#index.release()
    return true
  }

  /** Only after something new, or a new key: who reads and goes costs nothing. */
  async #tidy(isNew: boolean): Promise<void> {
    const session = this.#session
    if (!session || !(isNew || this.#index.isOld)) return
    const indexed = this.#index.documents
    const mayHaveMany = indexed > DEAD_SPARED && indexed > (await session.contents()) * DEAD_SHARE
    await this.#index.tidy(mayHaveMany ? await everyContent(session.searchable) : null, () => this.#session === null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#again = false
    this.#later?.[Symbol.dispose]()
    await this.#running
    await this.#index[Symbol.asyncDispose]()
  }
}

/** Memory of its own, no larger than what it holds. */
function uidsThatAre(wanted: number, known: Uint8Array, uids: Uint32Array): Uint32Array<ArrayBuffer> {
  let count = 0
  for (const one of known) if (one === wanted) count++
  const found = new Uint32Array(count)
  for (let index = 0, at = 0; at < count; index++) if (known[index] === wanted) found[at++] = uids[index]!
  return found
}
