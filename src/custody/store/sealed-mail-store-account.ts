import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { IndexRecords } from './index-records.ts'
import type { IndexedAccountMail, IndexRecord } from './indexed-mail-store.ts'
import {
  type AccountMail,
  type Appended,
  type Copied,
  type FlagChange,
  KeysNeeded,
  type Mailbox,
  type MailboxChanges,
  type MailboxId,
  type MailboxName,
  type MailboxStatus,
  type MessageRow,
  MessageUnreadable,
  type NewMessage,
  type Quota,
  type ReadingKeys,
  type Relocated,
  type SpecialUse,
  type Uid,
} from './mail-store.ts'
import { INBOX } from './mailbox-name.ts'
import { Opener, type Unopened, unsealContent } from './sealed-mail-store-opener.ts'
import type { SharedWork } from './sealed-mail-store-work.ts'
import { decodeEntry } from './summary-entry.ts'

interface Surroundings {
  readonly account: AccountId
  readonly keys: ReadingKeys | null
  readonly sealing: (message: NewMessage) => Promise<NewMessage>
  readonly work: SharedWork
  readonly logger: Logger
}

/** Messages whose summaries are opened in one go. */
const BATCH = 64
/** So many in a row that no key opens: what is older was sealed to a lost key too, and is tried when asked for. */
const LOST_IN_A_ROW = 256

export class SealedAccountMail implements AccountMail {
  readonly #inner: IndexedAccountMail
  readonly #around: Surroundings
  readonly #opener: Opener | null
  #records: Promise<IndexRecords> | null = null
  #folding: Promise<void> = Promise.resolve()
  #keeping: Promise<void> = Promise.resolve()
  #closed = false

  constructor(inner: IndexedAccountMail, around: Surroundings) {
    this.#inner = inner
    this.#around = around
    this.#opener = around.keys && new Opener(around.keys)
    if (this.#opener) this.#folding = this.#fold()
  }

  mailboxes(): Promise<readonly Mailbox[]> {
    return this.#inner.mailboxes()
  }

  subscriptions(): Promise<readonly MailboxName[]> {
    return this.#inner.subscriptions()
  }

  subscribe(name: MailboxName, subscribed: boolean): Promise<void> {
    return this.#inner.subscribe(name, subscribed)
  }

  createMailbox(name: MailboxName, specialUse?: SpecialUse): Promise<Mailbox> {
    return this.#inner.createMailbox(name, specialUse)
  }

  deleteMailbox(name: MailboxName): Promise<void> {
    return this.#inner.deleteMailbox(name)
  }

  renameMailbox(from: MailboxName, to: MailboxName): Promise<Relocated | null> {
    return this.#rebound(() => this.#inner.renameMailbox(from, to))
  }

  status(mailbox: MailboxId): Promise<MailboxStatus> {
    return this.#inner.status(mailbox)
  }

  list(mailbox: MailboxId): Promise<readonly MessageRow[]> {
    return this.#inner.list(mailbox)
  }

  changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges> {
    return this.#inner.changesSince(mailbox, modseq)
  }

  setFlags(mailbox: MailboxId, uids: readonly Uid[], change: FlagChange) {
    return this.#inner.setFlags(mailbox, uids, change)
  }

  expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#inner.expunge(mailbox, uids)
  }

  quota(): Promise<Quota> {
    return this.#inner.quota()
  }

  async append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    return this.#inner.append(mailbox, await this.#around.sealing(message))
  }

  async copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return this.#rebound(async () => ({ from, to, ...(await this.#inner.copy(from, uids, to)) }))
  }

  async move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return this.#rebound(async () => ({ from, to, ...(await this.#inner.move(from, uids, to)) }))
  }

  /** null also for what cannot be opened, so that a mailbox with some of it can be listed; `read` says why. */
  async summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]> {
    const entries = await this.#entries(mailbox, uids)
    const opened = entries.map((entry) =>
      entry instanceof Uint8Array ? Buffer.from(decodeEntry(entry)!.summary) : null,
    )
    for (const entry of entries) if (entry instanceof Uint8Array) wipe(entry)
    return opened
  }

  async read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null> {
    const [entry] = await this.#entries(mailbox, [uid])
    if (!entry) return null
    if (entry === 'lost') throw new MessageUnreadable('the message is sealed to a key that is not here')
    if (entry === 'damaged') throw new MessageUnreadable('the stored message is damaged: restore it from a backup')
    try {
      const sealed = await this.#inner.read(mailbox, uid)
      return sealed && unsealContent(sealed, decodeEntry(entry)!.sessionKey)
    } finally {
      wipe(entry)
    }
  }

  /** Encoded entries in the order asked for; null for a uid that is gone. */
  async #entries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | Unopened | null)[]> {
    if (!this.#opener) throw new KeysNeeded('the mailbox is locked')
    const records = await this.#indexRecords()
    const found = new Map<Uid, Bytes | Unopened>()
    const waiting: { uid: Uid; summary: Bytes }[] = []
    const missing: Uid[] = []
    for (const [index, parts] of (await this.#inner.parts(mailbox, uids)).entries()) {
      const uid = uids[index]!
      if (!parts || found.has(uid)) continue
      const entry = parts.record && openRecord(records, { mailbox, uid }, parts.record)
      if (entry) found.set(uid, entry)
      else if (parts.summary) waiting.push({ uid, summary: parts.summary })
      else missing.push(uid)
    }
    for (let i = 0; i < waiting.length; i += BATCH)
      for (const [uid, entry] of await this.#openWaiting(mailbox, waiting.slice(i, i + BATCH))) found.set(uid, entry)
    for (const uid of missing) {
      const entry = await this.#missing(mailbox, uid)
      if (entry) found.set(uid, entry)
    }
    return uids.map((uid) => found.get(uid) ?? null)
  }

  /** Opens sealed summaries and has records put in their place. */
  async #openWaiting(mailbox: MailboxId, waiting: readonly { uid: Uid; summary: Bytes }[]) {
    const entries = await this.#opener!.entries(waiting.map(({ summary }) => summary))
    const opened = waiting.map(({ uid }, index) => [uid, entries[index]!] as const)
    await this.#keep(mailbox, opened)
    return opened
  }

  /** No summary and no record that opens: another session is moving it here, or the index is damaged. */
  async #missing(mailbox: MailboxId, uid: Uid): Promise<Bytes | Unopened | null> {
    const { account, work, logger } = this.#around
    if (work.isRebinding(account)) {
      await work.rebound(account)
      const [parts] = await this.#inner.parts(mailbox, [uid])
      const entry = parts?.record && openRecord(await this.#indexRecords(), { mailbox, uid }, parts.record)
      if (entry) return entry
    }
    const content = await this.#inner.read(mailbox, uid)
    if (!content) return null
    const entry = await this.#opener!.rebuild(content)
    const outcome = typeof entry === 'string' ? entry : 'rebuilt'
    logger.warn({ account, mailbox, uid, outcome }, 'index record of a message was missing or damaged')
    await this.#keep(mailbox, [[uid, entry]])
    return entry
  }

  /** Whoever waits for entries does not wait for the disk: the index is a cache. */
  async #keep(mailbox: MailboxId, entries: readonly (readonly [uid: Uid, entry: Bytes | Unopened])[]): Promise<void> {
    const records = await this.#indexRecords()
    const sealed: IndexRecord[] = []
    for (const [uid, entry] of entries)
      if (typeof entry !== 'string') sealed.push({ uid, record: records.seal({ mailbox, uid }, entry) })
    if (sealed.length === 0) return
    const { account, logger } = this.#around
    const kept = this.#inner
      .keepRecords(mailbox, sealed)
      .catch((error) => logger.warn({ account, mailbox, error }, 'could not keep index records'))
    this.#keeping = this.#keeping.then(() => kept)
  }

  /** Records that a copy or move carried along are bound to where they were: makes them anew. */
  async #rebound<T extends Relocated | null>(run: () => Promise<T>): Promise<T> {
    if (!this.#opener) return run()
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
    const records = await this.#indexRecords()
    for (let i = 0; i < uids.length; i += BATCH) {
      const pairs = uids.slice(i, i + BATCH)
      const parts = await this.#inner.parts(
        to,
        pairs.map(([, uid]) => uid),
      )
      const sealed: IndexRecord[] = []
      for (const [index, [before, uid]] of pairs.entries()) {
        const record = parts[index]?.record
        const entry = record && records.open({ mailbox: from, uid: before }, record)
        if (!entry) continue
        sealed.push({ uid, record: records.seal({ mailbox: to, uid }, entry) })
        wipe(entry)
      }
      if (sealed.length > 0) await this.#inner.keepRecords(to, sealed)
    }
  }

  #indexRecords(): Promise<IndexRecords> {
    const { account, keys } = this.#around
    if (!keys) throw new KeysNeeded('the mailbox is locked')
    this.#records ??= keys.indexKey().then((key) => new IndexRecords(account, key))
    return this.#records
  }

  /** Puts records in the place of all waiting summaries, the newest first, INBOX before others. */
  async #fold(): Promise<void> {
    const { account, work, logger } = this.#around
    using turn = work.startFolding(account)
    if (!turn) return
    try {
      const mailboxes = await this.#inner.mailboxes()
      for (const { id } of mailboxes.toSorted((a, b) => Number(b.name === INBOX) - Number(a.name === INBOX)))
        await this.#foldMailbox(id)
    } catch (error) {
      if (!this.#closed) logger.info({ account, error: error as Error }, 'stopped putting new messages into the index')
    }
  }

  async #foldMailbox(mailbox: MailboxId): Promise<void> {
    let before: Uid | null = null
    let lost = 0
    while (!this.#closed && lost < LOST_IN_A_ROW) {
      const waiting: readonly { uid: Uid; summary: Bytes }[] = await this.#inner.waiting(mailbox, before, BATCH)
      if (waiting.length === 0) return
      before = waiting[waiting.length - 1]!.uid
      const opened = await this.#openWaiting(mailbox, waiting)
      for (const [, entry] of opened) if (typeof entry !== 'string') wipe(entry)
      lost = opened.every(([, entry]) => typeof entry === 'string') ? lost + opened.length : 0
      await this.#keeping
      await nextTurn()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#folding
    await this.#keeping
    const records = await this.#records?.catch(() => null)
    records?.[Symbol.dispose]()
    await this.#inner[Symbol.asyncDispose]()
  }
}

function openRecord(records: IndexRecords, place: { mailbox: MailboxId; uid: Uid }, record: Bytes): Bytes | null {
  const entry = records.open(place, record)
  return entry && decodeEntry(entry) ? entry : null
}
