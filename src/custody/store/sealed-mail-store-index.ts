/** The index of one account as a session with keys uses it: opens entries, and puts and keeps index records in their place. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { IndexRecords } from './index-records.ts'
import type { ContentId, IndexedAccountMail, IndexRecord, WaitingSummary } from './indexed-mail-store.ts'
import type { MailboxId, ReadingKeys, Relocated, Uid } from './mail-store.ts'
import { INBOX } from './mailbox-name.ts'
import { mayNeedUnsealing } from './sealed-mail-store-candidates.ts'
import { Opener } from './sealed-mail-store-opener.ts'
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
/** So many in a row that no key opens: what is older was sealed to a lost key too, and is tried when asked for. */
const LOST_IN_A_ROW = 256
const LOST_KEPT = 100_000
/** How often a message that others change meanwhile is looked at again. */
const ROUNDS = 4

export class SealedIndex implements AsyncDisposable {
  readonly opener: Opener
  readonly #inner: IndexedAccountMail
  readonly #around: IndexSurroundings
  #records: Promise<IndexRecords> | null = null
  #unsealer: Promise<Unsealer> | null = null
  readonly #folding: Promise<void>
  #keeping: Promise<void> = Promise.resolve()
  /** Contents that no key of this session opens, after a reset all of them: to try each costs reading it. */
  readonly #lost = new Set<ContentId>()
  /** Contents that their senders sealed to keys which this session does not have: it does not get others. */
  readonly #closedContents = new Set<ContentId>()
  #closed = false

  constructor(inner: IndexedAccountMail, around: IndexSurroundings) {
    this.#inner = inner
    this.#around = around
    this.opener = new Opener(around.keys)
    this.#folding = this.#fold()
  }

  /** Resolves when new messages are in the index, or nobody is at it any more. */
  get folded(): Promise<void> {
    return this.#folding
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
        new Unsealer({
          ...this.#around,
          inner: this.#inner,
          opener: this.opener,
          records: () => this.records(),
          relocate: (run) => this.rebound(run),
        }),
    )
    return this.#unsealer
  }

  /** In the order asked for; null for a uid that is gone. What its sender sealed is unsealed before anything is said of it. */
  async find(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Found | null)[]> {
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
    await this.#keep(
      mailbox,
      after.filter(({ isKept }) => !isKept),
    )
    return { found: [...found, ...after], again: candidates.filter((_, index) => settled[index] === 'again') }
  }

  #isCandidate({ content, entry }: Found): boolean {
    if (typeof entry === 'string' || !mayNeedUnsealing(entry)) return false
    return !this.#closedContents.has(content) || !isProtected(entry)
  }

  async #look(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Found[]> {
    const records = await this.records()
    const found = new Map<Uid, Found>()
    const old: Found[] = []
    const waiting: WaitingSummary[] = []
    const missing: Uid[] = []
    for (const [index, parts] of (await this.#inner.parts(mailbox, uids)).entries()) {
      const uid = uids[index]!
      if (!parts || found.has(uid)) continue
      const opened = parts.record && openRecord(records, { mailbox, uid }, parts.record)
      if (opened) {
        found.set(uid, { uid, content: parts.content, entry: opened.entry, isKept: true })
        if (opened.isOld) old.push(found.get(uid)!)
      } else if (parts.summary) waiting.push({ uid, content: parts.content, summary: parts.summary })
      else missing.push(uid)
    }
    await this.#keep(mailbox, old)
    for (let i = 0; i < waiting.length; i += BATCH)
      for (const one of await this.#openWaiting(mailbox, waiting.slice(i, i + BATCH))) found.set(one.uid, one)
    for (const uid of missing) {
      const one = await this.#missing(mailbox, uid)
      if (one) found.set(uid, one)
    }
    return [...found.values()]
  }

  /** Opens sealed summaries and has records put in their place, but of those that are to be unsealed first. */
  async #openWaiting(mailbox: MailboxId, waiting: readonly WaitingSummary[]): Promise<readonly Found[]> {
    const entries = await this.opener.entries(waiting.map(({ summary }) => summary))
    const opened = waiting.map(({ uid, content }, index) => {
      const entry = entries[index]!
      return { uid, content, entry, isKept: typeof entry === 'string' || !mayNeedUnsealing(entry) }
    })
    await this.#keep(
      mailbox,
      opened.filter(({ isKept }) => isKept),
    )
    return opened
  }

  /** No summary and no record that opens: another session is at it, or the index is damaged. */
  async #missing(mailbox: MailboxId, uid: Uid): Promise<Found | null> {
    const { account, work, logger } = this.#around
    await work.rebound(account)
    for (let before: ContentId | null = null; ; ) {
      const [parts] = await this.#inner.parts(mailbox, [uid])
      if (!parts) return null
      const { content: id, record } = parts
      const known = { uid, content: id, isKept: true }
      if (id === before) return { ...known, entry: 'damaged' }
      before = id
      if (this.#lost.has(id)) return { ...known, entry: 'lost' }
      const opened = record && openRecord(await this.records(), { mailbox, uid }, record)
      if (opened) return { ...known, entry: opened.entry }
      const content = await this.#inner.contents.read(id)
      // Re-sealed meanwhile, and its record with it.
      if (!content) continue
      const found = { ...known, entry: await this.#rebuilt(id, content) }
      if (found.entry === 'lost') {
        if (this.#lost.size < LOST_KEPT) this.#lost.add(id)
        return found
      }
      const outcome = found.entry === 'damaged' ? 'damaged' : 'rebuilt'
      logger.warn({ account, mailbox, uid, outcome }, 'index record of a message was missing or damaged')
      await this.#keep(mailbox, [found])
      return found
    }
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
  async #keep(mailbox: MailboxId, opened: readonly Found[]): Promise<void> {
    const records = await this.records()
    const sealed: IndexRecord[] = []
    for (const { uid, content, entry } of opened)
      if (typeof entry !== 'string') sealed.push({ uid, content, record: records.seal({ mailbox, uid }, entry) })
    if (sealed.length === 0) return
    const { account, logger } = this.#around
    const kept = this.#inner
      .keepRecords(mailbox, sealed)
      .catch((error) => logger.warn({ account, mailbox, error }, 'could not keep index records'))
    this.#keeping = this.#keeping.then(() => kept)
  }

  /** Records that a copy or move carried along are bound to where they were: makes them anew. */
  async rebound<T extends Relocated | null>(run: () => Promise<T>): Promise<T> {
    let result: { readonly relocated: T } | null = null
    const { account, work, logger } = this.#around
    await work.rebind(account, async () => {
      const relocated = await run()
      result = { relocated }
      // The change is made; what goes wrong from here on leaves records that are rebuilt when they are read.
      if (relocated)
        await this.#rebindAll(relocated).catch((error) =>
          logger.warn({ account, mailbox: relocated.to, error }, 'could not carry index records along'),
        )
    })
    return result!.relocated
  }

  async #rebindAll({ from, to, uids }: Relocated): Promise<void> {
    const records = await this.records()
    for (let i = 0; i < uids.length; i += BATCH) {
      const pairs = uids.slice(i, i + BATCH)
      const parts = await this.#inner.parts(
        to,
        pairs.map(([, uid]) => uid),
      )
      const sealed: IndexRecord[] = []
      for (const [index, [before, uid]] of pairs.entries()) {
        const carried = parts[index]
        const opened = carried?.record && records.open({ mailbox: from, uid: before }, carried.record)
        if (!opened) continue
        sealed.push({ uid, content: carried.content, record: records.seal({ mailbox: to, uid }, opened.entry) })
        wipe(opened.entry)
      }
      if (sealed.length > 0) await this.#inner.keepRecords(to, sealed)
    }
  }

  /** Puts records in the place of all waiting summaries, the newest first, INBOX before others; then renews old records. */
  async #fold(): Promise<void> {
    const { account, work, logger } = this.#around
    using turn = work.startFolding(account)
    if (!turn) return
    try {
      const mailboxes = await this.#inner.mailboxes()
      for (const { id } of mailboxes.toSorted((a, b) => Number(b.name === INBOX) - Number(a.name === INBOX)))
        await this.#foldMailbox(id)
      await this.#renew(mailboxes.map(({ id }) => id))
      await this.#recheck()
    } catch (error) {
      if (!this.#closed) logger.info({ account, error: error as Error }, 'stopped putting new messages into the index')
    }
  }

  async #foldMailbox(mailbox: MailboxId): Promise<void> {
    let before: Uid | null = null
    let lost = 0
    while (!this.#closed && lost < LOST_IN_A_ROW) {
      const waiting: readonly WaitingSummary[] = await this.#inner.waiting(mailbox, before, BATCH)
      if (waiting.length === 0) return
      before = waiting[waiting.length - 1]!.uid
      const opened = await this.#openWaiting(mailbox, waiting)
      const { found } = await this.#settle(mailbox, opened)
      for (const { entry } of found) if (typeof entry !== 'string') wipe(entry)
      lost = opened.every(({ entry }) => typeof entry === 'string') ? lost + opened.length : 0
      await this.#keeping
      await nextTurn()
    }
  }

  /** After a new master key: makes records under older index keys anew, once; then the account says which key they are under. */
  async #renew(mailboxes: readonly MailboxId[]): Promise<void> {
    const records = await this.records()
    if (!records.hasOlder || (await this.#inner.indexKeyName()) === records.name) return
    for (const mailbox of mailboxes) {
      let after: Uid = 0
      for (;;) {
        if (this.#closed) return
        const batch: readonly IndexRecord[] = await this.#inner.records(mailbox, after, BATCH)
        if (batch.length === 0) break
        after = batch[batch.length - 1]!.uid
        const old = batch.flatMap((one) => oldOf(records, mailbox, one))
        await this.#keep(mailbox, old)
        for (const { entry } of old) if (typeof entry !== 'string') wipe(entry)
        await this.#keeping
        await nextTurn()
      }
    }
    const { renewAnnotations } = await import('./sealed-mail-store-annotations.ts')
    for (const mailbox of [null, ...mailboxes]) if (!this.#closed) await renewAnnotations(this.#inner, records, mailbox)
    await this.#inner.nameIndexKey(records.name)
  }

  async #recheck(): Promise<void> {
    if (this.#closed || !this.#around.keys.aid || (await this.#inner.contents.unchecked(null, 1)).length === 0) return
    await (await this.unsealer()).recheck(() => this.#closed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const unsealer = await this.#unsealer?.catch(() => null)
    unsealer?.close()
    await this.#folding
    await this.#keeping
    const records = await this.#records?.catch(() => null)
    records?.[Symbol.dispose]()
  }
}

function isProtected(entry: Found['entry']): boolean {
  return typeof entry !== 'string' && (decodeEntry(entry)?.protection ?? null) !== null
}

function openRecord(records: IndexRecords, place: { mailbox: MailboxId; uid: Uid }, record: Bytes) {
  const opened = records.open(place, record)
  return opened && decodeEntry(opened.entry) ? opened : null
}

function oldOf(records: IndexRecords, mailbox: MailboxId, { uid, content, record }: IndexRecord): readonly Found[] {
  const opened = records.open({ mailbox, uid }, record)
  return opened?.isOld ? [{ uid, content, entry: opened.entry, isKept: true }] : []
}
