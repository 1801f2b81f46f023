/** The index of one account as a session with keys uses it: finds entries, opens what waits, and makes anew what is damaged. */
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { IndexRecords } from './index-records.ts'
import type { ContentId, IndexedAccountMail, IndexedParts, PageId } from './indexed-mail-store.ts'
import type { MailboxId, ReadingKeys, Uid } from './mail-store.ts'
import { mayNeedUnsealing } from './sealed-mail-store-candidates.ts'
import { Folding } from './sealed-mail-store-folding.ts'
import { Opener, type Unopened } from './sealed-mail-store-opener.ts'
import { SealedPages } from './sealed-mail-store-pages.ts'
import type { Sealer } from './sealed-mail-store-sealer.ts'
import type { Found, Unsealer } from './sealed-mail-store-unsealing.ts'
import type { SharedWork } from './sealed-mail-store-work.ts'
import { decodeEntry } from './summary-entry.ts'

export interface IndexSurroundings {
  readonly account: AccountId
  readonly keys: ReadingKeys
  readonly sealer: () => Promise<Sealer>
  readonly work: SharedWork
  readonly clock: Clock
  readonly logger: Logger
}

/** Messages whose summaries are opened in one go. */
const BATCH = 64
const LOST_KEPT = 100_000
/** How often a message that others change meanwhile is looked at again. */
const ROUNDS = 4

/** A message that is there. */
type Placed = IndexedParts & { readonly uid: Uid }

export class SealedIndex implements AsyncDisposable {
  readonly opener: Opener
  readonly pages: SealedPages
  readonly #inner: IndexedAccountMail
  readonly #around: IndexSurroundings
  #records: Promise<IndexRecords> | null = null
  #unsealer: Promise<Unsealer> | null = null
  readonly #folding: Folding
  #keeping: Promise<void> = Promise.resolve()
  /** Contents that no key of this session opens, after a reset all of them: to try each costs reading it. */
  readonly #lost = new Set<ContentId>()
  /** Contents that their senders sealed to keys which this session does not have: it does not get others. */
  readonly #closedContents = new Set<ContentId>()

  constructor(inner: IndexedAccountMail, around: IndexSurroundings) {
    this.#inner = inner
    this.#around = around
    this.opener = new Opener(around.keys)
    const records = () => this.records()
    this.pages = new SealedPages({ inner, records, open: around.work.pages, ...around })
    this.#folding = new Folding({
      ...around,
      inner,
      records,
      pages: this.pages,
      fold: (mailbox, uids) => this.#fold(mailbox, uids),
      recheck: (isOver) => this.#recheck(isOver),
    })
  }

  /** Resolves when new messages are in the index, or nobody is at it any more. */
  get folded(): Promise<void> {
    return this.#folding.folded
  }

  /** Resolves when nobody has asked for anything for a moment, or after a while: what is asked for goes first. */
  quiet(): Promise<void> {
    return this.#folding.quiet()
  }

  records(): Promise<IndexRecords> {
    this.#records ??= this.#openRecords()
    return this.#records
  }

  async #openRecords(): Promise<IndexRecords> {
    const { account, keys } = this.#around
    const [key, older] = await Promise.all([keys.indexKey(), keys.olderIndexKeys?.() ?? []])
    const records = new IndexRecords(account, key, older)
    for (const copied of [key, ...older]) wipe(copied)
    return records
  }

  /** Loaded with the first message that needs it. */
  unsealer(): Promise<Unsealer> {
    this.#unsealer ??= import('./sealed-mail-store-unsealing.ts').then(
      ({ Unsealer }) =>
        new Unsealer({ ...this.#around, inner: this.#inner, opener: this.opener, records: () => this.records() }),
    )
    return this.#unsealer
  }

  /**
   * In the order asked for; null for a uid that is gone. What its sender sealed is unsealed before anything is said of it. Each entry is
   * in memory of its own, and the caller's to wipe.
   */
  async find(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Found | null)[]> {
    using _asked = this.#folding.givesWay()
    return await this.#find(mailbox, uids)
  }

  async #find(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Found | null)[]> {
    const found = new Map<Uid, Found>()
    let left = uids
    for (let round = 0; left.length > 0 && round < ROUNDS; round++) {
      const settled = await this.#settle(mailbox, await this.#look(mailbox, left))
      for (const one of settled.found) found.set(one.uid, one)
      left = settled.again.map(({ uid }) => uid)
      if (round === ROUNDS - 1) for (const one of settled.again) found.set(one.uid, { ...one, entry: 'unwritten' })
    }
    return uids.map((uid) => found.get(uid) ?? null)
  }

  async #settle(mailbox: MailboxId, looked: readonly Found[]) {
    const candidates: Found[] = []
    const found: Found[] = []
    for (const one of looked) (this.#isCandidate(one) ? candidates : found).push(one)
    if (candidates.length === 0) return { found, again: [] }
    const settled = await (await this.unsealer()).settle(mailbox, candidates)
    const after = settled.filter((one) => one !== 'again')
    for (const { content, entry } of after)
      if (isProtected(entry) && this.#closedContents.size < LOST_KEPT) this.#closedContents.add(content)
    this.#keep(after.filter(({ isKept }) => !isKept))
    return { found: [...found, ...after], again: candidates.filter((_, index) => settled[index] === 'again') }
  }

  #isCandidate({ content, entry, isSettled }: Found): boolean {
    if (isSettled || typeof entry === 'string' || !mayNeedUnsealing(entry)) return false
    return !this.#closedContents.has(content) || !isProtected(entry)
  }

  async #look(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Found[]> {
    const found = new Map<Uid, Found>()
    const waiting = new Map<Uid, Placed>()
    const missing = new Map<Uid, Placed>()
    const inPages = new Map<PageId, Placed[]>()
    for (const [index, parts] of (await this.#inner.parts(mailbox, uids)).entries()) {
      if (!parts) continue
      const placed = { uid: uids[index]!, ...parts }
      if (placed.page === null) (placed.summary ? waiting : missing).set(placed.uid, placed)
      else if (inPages.has(placed.page)) inPages.get(placed.page)!.push(placed)
      else inPages.set(placed.page, [placed])
    }
    await this.pages.look([...inPages.keys()], (id, page) => {
      for (const placed of inPages.get(id)!) {
        const held = typeof page === 'string' ? undefined : page.entries.get(placed.content)
        if (held) found.set(placed.uid, foundIn(placed, Buffer.from(held.entry), held.isSettled))
        else missing.set(placed.uid, placed)
      }
    })
    for (const one of await this.#openWaiting([...waiting.values()])) found.set(one.uid, one)
    for (const uid of missing.keys()) {
      const one = await this.#missing(mailbox, uid)
      if (one) found.set(uid, one)
    }
    return [...found.values()]
  }

  /** Opens sealed summaries and has entries put in their place, but of those that are to be unsealed first. */
  async #openWaiting(waiting: readonly Placed[]): Promise<readonly Found[]> {
    const entries = await this.#entriesOf(waiting.map(({ summary }) => summary!))
    const opened = waiting.map((placed, index): Found => {
      const entry = entries[index]!
      const isSettled = typeof entry !== 'string' && !mayNeedUnsealing(entry)
      return { ...foundIn(placed, entry, isSettled), isKept: typeof entry === 'string' || isSettled }
    })
    this.#keep(opened.filter(({ isKept }) => isKept))
    return opened
  }

  /** The keys open some while those that they have opened before are read. */
  async #entriesOf(summaries: readonly Bytes[]): Promise<readonly (Bytes | Unopened)[]> {
    const entries: (Bytes | Unopened)[] = []
    const underWay: Promise<readonly (Bytes | Unopened)[]>[] = []
    for (let i = 0; i < summaries.length; i += BATCH) {
      const opening = this.opener.entries(summaries.slice(i, i + BATCH))
      // Nobody waits for it when one before it fails.
      opening.catch(() => {})
      underWay.push(opening)
      if (underWay.length > 1) entries.push(...(await underWay.shift()!))
    }
    for (const last of underWay) entries.push(...(await last))
    return entries
  }

  /** No summary and no entry: another session is at it, or the index is damaged. */
  async #missing(mailbox: MailboxId, uid: Uid): Promise<Found | null> {
    for (let before: IndexedParts | null = null; ; ) {
      const [parts] = await this.#inner.parts(mailbox, [uid])
      if (!parts) return null
      const placed = { uid, ...parts }
      if (parts.content === before?.content && parts.page === before.page) return foundIn(placed, 'damaged')
      before = parts
      if (this.#lost.has(parts.content)) return foundIn(placed, 'lost')
      const { entry, isNewer } = await this.#entryOf(parts)
      if (entry) return foundIn(placed, entry)
      const content = await this.#inner.contents.read(parts.content)
      // Re-sealed meanwhile, and its entry with it.
      if (!content) continue
      const found = foundIn(placed, await this.#rebuilt(parts.content, content))
      if (found.entry === 'lost') {
        if (this.#lost.size < LOST_KEPT) this.#lost.add(parts.content)
        return found
      }
      this.pages.tell(parts.page, isNewer ? 'newer' : found.entry === 'damaged' ? 'damaged' : 'rebuilt')
      if (!isNewer) this.#keep([found])
      return found
    }
  }

  async #entryOf({ page: id, content }: IndexedParts): Promise<{ entry: Buffer | null; isNewer: boolean }> {
    let entry: Buffer | null = null
    let isNewer = false
    if (id !== null)
      await this.pages.look([id], (_, page) => {
        isNewer = page === 'newer'
        const held = typeof page === 'string' ? undefined : page.entries.get(content)
        if (held) entry = Buffer.from(held.entry)
      })
    return { entry, isNewer }
  }

  /** What was unsealed before is not unsealed again. */
  async #rebuilt(id: ContentId, content: Bytes): Promise<Found['entry']> {
    const entry = await this.opener.rebuild(content)
    if (typeof entry === 'string' || (await this.#inner.contents.unsealing(id)) === 0) return entry
    const remade = (await this.unsealer()).remade(entry)
    wipe(entry)
    return remade
  }

  /** Whoever waits for entries does not wait for the disk: the index is a cache. */
  #keep(opened: readonly Found[]): void {
    const entries = opened.flatMap(({ content, page, entry, isSettled }) =>
      typeof entry === 'string' ? [] : [{ content, page, entry, isSettled: isSettled ?? !mayNeedUnsealing(entry) }],
    )
    if (entries.length === 0) return
    const { account, logger } = this.#around
    const kept = this.pages
      .keep(entries)
      .then(() => this.#folding.kept(entries.length))
      .catch((error) => logger.warn({ account, error }, 'could not keep a page of the index'))
    this.#keeping = this.#keeping.then(() => kept)
  }

  /** Answers how many of them no key opened. */
  async #fold(mailbox: MailboxId, uids: readonly Uid[]): Promise<number> {
    const found = await this.#find(mailbox, uids)
    for (const one of found) if (one && typeof one.entry !== 'string') wipe(one.entry)
    await this.#keeping
    return found.filter((one) => typeof one?.entry === 'string').length
  }

  async #recheck(isOver: () => boolean): Promise<void> {
    if (!this.#around.keys.aid || (await this.#inner.contents.unchecked(null, 1)).length === 0) return
    await (await this.unsealer()).recheck(isOver)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#folding.end()
    const unsealer = await this.#unsealer?.catch(() => null)
    unsealer?.close()
    await this.#folding.ended
    await this.#keeping
    const records = await this.#records?.catch(() => null)
    this.pages[Symbol.dispose]()
    records?.[Symbol.dispose]()
  }
}

function foundIn({ uid, content, row, page }: Placed, entry: Found['entry'], isSettled?: boolean): Found {
  return { uid, content, row, page, entry, isKept: true, ...(isSettled === undefined ? {} : { isSettled }) }
}

function isProtected(entry: Found['entry']): boolean {
  return typeof entry !== 'string' && (decodeEntry(entry)?.protection ?? null) !== null
}
