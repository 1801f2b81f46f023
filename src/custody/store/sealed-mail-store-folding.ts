/**
 * What a session with keys does with the index while nobody asks for anything: it folds the messages that wait into pages, the newest
 * first and INBOX before others, brings pages under the newest key, and gathers small ones. One session of an account at a time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { wipe } from '#lib/bytes.ts'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { PAGE_ENTRIES } from './index-pages.ts'
import type { IndexRecords } from './index-records.ts'
import type { ContentId, IndexedAccountMail, PageId } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import { INBOX } from './mailbox-name.ts'
import { copiesOf, type NewEntry, type SealedPages } from './sealed-mail-store-pages.ts'
import type { SharedWork } from './sealed-mail-store-work.ts'

interface Means {
  readonly account: AccountId
  readonly inner: IndexedAccountMail
  readonly work: SharedWork
  readonly clock: Clock
  readonly logger: Logger
  readonly records: () => Promise<IndexRecords>
  readonly pages: SealedPages
  /** Opens these messages and has them kept; answers how many of them no key opens. */
  readonly fold: (mailbox: MailboxId, uids: readonly Uid[]) => Promise<number>
  /** Looks again at signatures that could not be checked. */
  readonly recheck: (isOver: () => boolean) => Promise<void>
}

/** Messages that are folded in one go: whoever else asks something of this thread waits for them. */
const FOLDED_AT_ONCE = 64
/** So many in a row that no key opens: what is older was sealed to a lost key too, and is tried when asked for. */
const LOST_IN_A_ROW = 256
const PAGES_AT_ONCE = 64
/** Small pages that one session makes before they are gathered: each costs a listing as much as a full one. */
const SMALL_PAGES = 16
const SMALL = PAGE_ENTRIES / 2
/** A client that reads a mailbox asks again sooner than this. */
const QUIET_MS = 40
const PATIENCE_MS = 2000

export class Folding {
  /** Resolves when new messages are in the index, or nobody is at it any more. */
  readonly folded: Promise<void>
  readonly ended: Promise<void>
  readonly #means: Means
  #isOver = false
  #asked = 0
  /** When the last answer was given. */
  #lastAsked = Number.NEGATIVE_INFINITY
  #quiet = Promise.withResolvers<void>()
  #smallPages = 0
  #tidying: Promise<void> | null = null

  constructor(means: Means) {
    this.#means = means
    const running = this.#run()
    this.folded = running
    this.ended = running.then(() => this.#tidying ?? undefined)
  }

  end(): void {
    this.#isOver = true
    this.#quiet.resolve()
  }

  /** What is asked for goes first: folding waits until this is disposed. */
  givesWay(): Disposable {
    this.#asked++
    return {
      [Symbol.dispose]: () => {
        this.#lastAsked = this.#means.clock.now()
        if (--this.#asked > 0) return
        this.#quiet.resolve()
        this.#quiet = Promise.withResolvers()
      },
    }
  }

  /** Resolves when nobody has asked for anything for a moment, but waits no longer than a while. */
  async quiet(): Promise<void> {
    const { clock } = this.#means
    const patience = clock.now() + PATIENCE_MS
    for (let now = clock.now(); now < patience && !this.#isOver; now = clock.now()) {
      if (this.#asked === 0 && now >= this.#lastAsked + QUIET_MS) return
      await pause(clock, QUIET_MS)
    }
  }

  /** Entries were kept in pages of their own. */
  kept(entries: number): void {
    if (entries >= SMALL) return
    this.#smallPages++
    this.#tidyWhenDue()
  }

  #tidyWhenDue(): void {
    if (this.#smallPages < SMALL_PAGES || this.#isOver || this.#tidying) return
    this.#tidying = this.#tidyAlone().finally(() => {
      this.#tidying = null
      this.#tidyWhenDue()
    })
  }

  async #run(): Promise<void> {
    const { account, inner, work, logger, recheck } = this.#means
    using turn = await work.startFolding(account)
    if (!turn) return
    try {
      const mailboxes = await inner.mailboxes()
      for (const { id } of mailboxes.toSorted((a, b) => Number(b.name === INBOX) - Number(a.name === INBOX)))
        await this.#foldMailbox(id)
      await this.#renew(mailboxes.map(({ id }) => id))
      await this.#tidy()
      if (!this.#isOver) await recheck(() => this.#isOver)
    } catch (error) {
      if (!this.#isOver) logger.info({ account, error: error as Error }, 'stopped putting new messages into the index')
    }
  }

  async #foldMailbox(mailbox: MailboxId): Promise<void> {
    let before: Uid | null = null
    let lost = 0
    while (!this.#isOver && lost < LOST_IN_A_ROW) {
      const waiting: readonly Uid[] = await this.#means.inner.waiting(mailbox, before, FOLDED_AT_ONCE)
      if (waiting.length === 0) return
      before = waiting[waiting.length - 1]!
      const unopened = await this.#means.fold(mailbox, waiting)
      lost = unopened === waiting.length ? lost + unopened : 0
      await this.#turn()
    }
  }

  /** Others get theirs. */
  async #turn(): Promise<void> {
    await nextTurn()
    while (this.#asked > 0 && !this.#isOver) await this.#quiet.promise
  }

  /** After a new master key: makes pages under older index keys anew, once; then the account says which key they are under. */
  async #renew(mailboxes: readonly MailboxId[]): Promise<void> {
    const { inner, pages } = this.#means
    const records = await this.#means.records()
    if (!records.hasOlder || (await inner.pages.keyName()) === records.name) return
    for (let after: PageId = 0; ; ) {
      if (this.#isOver) return
      const ids: readonly PageId[] = await inner.pages.after(after, PAGES_AT_ONCE)
      if (ids.length === 0) break
      after = ids[ids.length - 1]!
      for (const id of ids) {
        const old: NewEntry[] = []
        await pages.look([id], (_, page) => {
          if (typeof page !== 'string' && page.isOld) old.push(...copiesOf(page, id, [...page.entries.keys()]))
        })
        if (old.length > 0) await this.#keep(old)
        await this.#turn()
      }
    }
    const { renewAnnotations } = await import('./sealed-mail-store-annotations.ts')
    for (const mailbox of [null, ...mailboxes]) if (!this.#isOver) await renewAnnotations(inner, records, mailbox)
    await inner.pages.nameKey(records.name)
  }

  async #keep(entries: readonly NewEntry[]): Promise<void> {
    const keeping = this.#means.pages.keep(entries)
    for (const { entry } of entries) wipe(entry)
    await keeping
  }

  async #tidyAlone(): Promise<void> {
    const { account, work, logger } = this.#means
    using turn = await work.startFolding(account)
    this.#smallPages = 0
    if (!turn) return
    await this.#tidy().catch((error) => logger.info({ account, error: error as Error }, 'stopped tidying the index'))
  }

  /** Puts what is left of small pages, and of those that hold what nobody needs any more, into common ones. */
  async #tidy(): Promise<void> {
    const { inner } = this.#means
    const untidy: Untidy[] = []
    for (const id of await inner.pages.untidy(PAGES_AT_ONCE))
      untidy.push({ id, contents: await inner.pages.contentsOf(id) })
    for (const group of gathered(untidy)) {
      if (this.#isOver) return
      const entries = await this.#entriesOf(group)
      if (entries.length > 0) await this.#keep(entries)
      await this.#turn()
    }
  }

  /** None when there is nothing to gain: one page that holds nothing but what is needed. */
  async #entriesOf(group: readonly Untidy[]): Promise<readonly NewEntry[]> {
    const entries: NewEntry[] = []
    let isWorthwhile = group.length > 1
    await this.#means.pages.look(
      group.map(({ id }) => id),
      (id, page) => {
        if (typeof page === 'string') return
        const { contents } = group.find((one) => one.id === id)!
        if (page.entries.size > contents.length) isWorthwhile = true
        entries.push(...copiesOf(page, id, contents))
      },
    )
    if (isWorthwhile) return entries
    for (const { entry } of entries) wipe(entry)
    return []
  }
}

interface Untidy {
  readonly id: PageId
  /** What of it is still needed. */
  readonly contents: readonly ContentId[]
}

/** Neighbours, as many as fill a page. */
function gathered(pages: readonly Untidy[]): readonly (readonly Untidy[])[] {
  const groups: Untidy[][] = []
  let entries = Number.POSITIVE_INFINITY
  for (const page of pages) {
    entries += page.contents.length
    if (entries > PAGE_ENTRIES) {
      groups.push([])
      entries = page.contents.length
    }
    groups.at(-1)!.push(page)
  }
  return groups
}
