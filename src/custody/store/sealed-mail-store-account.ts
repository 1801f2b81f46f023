import { setImmediate as nextTurn } from 'node:timers/promises'
import { messageIdsIn } from '#formats/message/message-ids.ts'
import type { TextQuery } from '#formats/message/message-text.ts'
import type { Protection } from '#formats/pgp-mime/protection.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { type AnnotationCodec, type AnnotationEntry, changeAnnotations, readAnnotations } from './annotations.ts'
import type { ContentId, IndexedAccountMail, SealedMessage } from './indexed-mail-store.ts'
import {
  type AccountMail,
  type Appended,
  type Copied,
  type Coverage,
  type FlagChange,
  type Indexing,
  KeysNeeded,
  type Mailbox,
  type MailboxChanges,
  type MailboxId,
  type MailboxName,
  type MailboxOverview,
  type MailboxStatus,
  type MessageFacts,
  type MessageRow,
  MessageUnreadable,
  type NewMessage,
  NoCertificate,
  type Quota,
  type ReadingKeys,
  type ReadMessage,
  type Relocated,
  type ResealingState,
  type SpecialUse,
  type TextMatches,
  type Uid,
  type Wanted,
} from './mail-store.ts'
import { SealedIndex } from './sealed-mail-store-index.ts'
import { unsealContent } from './sealed-mail-store-opener.ts'
import { readMessages, WHY_CLOSED } from './sealed-mail-store-reading.ts'
import { coverageOf, Resealer } from './sealed-mail-store-resealing.ts'
import type { Sealer } from './sealed-mail-store-sealer.ts'
import type { Searches } from './sealed-mail-store-searches.ts'
import { allOpen, documentsIndexed, SessionSearch } from './sealed-mail-store-session-search.ts'
import type { SharedWork } from './sealed-mail-store-work.ts'
import { decodeEntry, type SummaryEntry } from './summary-entry.ts'

interface Surroundings {
  readonly account: AccountId
  readonly keys: ReadingKeys | null
  readonly sealer: () => Promise<Sealer>
  readonly work: SharedWork
  /** null: texts are not indexed. */
  readonly searches: Searches | null
  readonly clock: Clock
  readonly logger: Logger
}

/** Message-IDs. */
const ASKED_AT_ONCE = 50

export class SealedAccountMail implements AccountMail {
  readonly #inner: IndexedAccountMail
  readonly #around: Surroundings
  readonly #index: SealedIndex | null
  readonly #search: SessionSearch | null
  #resealing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(inner: IndexedAccountMail, around: Surroundings) {
    this.#inner = inner
    this.#around = around
    const { keys } = around
    this.#index = keys && new SealedIndex(inner, { ...around, keys })
    this.#search = this.#index && around.searches && this.#searchWith(this.#index, around.searches)
  }

  #searchWith(index: SealedIndex, searches: Searches): SessionSearch {
    const { account } = this.#around
    const keys = async () => (await index.records()).searchKeys()
    const quiet = () => index.quiet()
    return new SessionSearch(
      searches,
      { account, searchable: this.#inner.searchable, mail: this, contents: () => this.#contents(), keys, quiet },
      index.folded,
    )
  }

  mailboxes(): Promise<readonly Mailbox[]> {
    return this.#inner.mailboxes()
  }

  mailbox(which: MailboxName | MailboxId): Promise<Mailbox | null> {
    return this.#inner.mailbox(which)
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
    return this.#inner.renameMailbox(from, to)
  }

  status(mailbox: MailboxId): Promise<MailboxStatus> {
    return this.#inner.status(mailbox)
  }

  overview(mailbox: MailboxId, known?: number): Promise<MailboxOverview> {
    return this.#inner.overview(mailbox, known)
  }

  rows(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]> {
    return this.#inner.rows(mailbox, uids)
  }

  list(mailbox: MailboxId): Promise<readonly MessageRow[]> {
    return this.#inner.list(mailbox)
  }

  changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges> {
    return this.#inner.changesSince(mailbox, modseq)
  }

  facts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageFacts | null)[]> {
    return this.#inner.facts(mailbox, uids)
  }

  setFlags(mailbox: MailboxId, uids: readonly Uid[], change: FlagChange) {
    return this.#inner.setFlags(mailbox, uids, change)
  }

  expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#inner.expunge(mailbox, uids)
  }

  remove(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#inner.remove(mailbox, uids)
  }

  quota(): Promise<Quota> {
    return this.#inner.quota()
  }

  async append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    const appended = await this.#inner.append(mailbox, (await this.#around.sealer()).seal(message))
    this.#around.searches?.changed(this.#around.account)
    return appended
  }

  async appendAll(mailbox: MailboxId, messages: readonly NewMessage[]): Promise<readonly Appended[]> {
    const sealer = await this.#around.sealer()
    const sealed: SealedMessage[] = []
    for (const message of messages) {
      sealed.push(sealer.seal(message))
      await nextTurn()
    }
    const appended = await this.#inner.appendAll(mailbox, sealed)
    this.#around.searches?.changed(this.#around.account)
    return appended
  }

  async annotations(mailbox: MailboxId | null): Promise<ReadonlyMap<string, Bytes>> {
    return readAnnotations(this.#inner.annotationPlace(mailbox), await this.#annotationCodec(mailbox))
  }

  async annotate(mailbox: MailboxId | null, entries: readonly AnnotationEntry[]): Promise<void> {
    await changeAnnotations(this.#inner.annotationPlace(mailbox), await this.#annotationCodec(mailbox), entries)
  }

  async #annotationCodec(mailbox: MailboxId | null): Promise<AnnotationCodec> {
    const { sealedAnnotations } = await import('./sealed-mail-store-annotations.ts')
    return sealedAnnotations(await this.#unlocked().records(), mailbox)
  }

  async copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return this.#inner.copy(from, uids, to)
  }

  async move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return this.#inner.move(from, uids, to)
  }

  /** null also for what cannot be opened, so that a mailbox with some of it can be listed; `read` says why. */
  summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]> {
    return this.#entries(mailbox, uids, ({ summary }) => Buffer.from(summary))
  }

  async protections(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Protection | null)[]> {
    const encoded = await this.#entries(mailbox, uids, ({ protection }) => protection && Buffer.from(protection))
    if (encoded.every((one) => one === null)) return uids.map(() => null)
    const { decodeProtection } = await import('#formats/pgp-mime/protection.ts')
    return encoded.map((one) => {
      const protection = one && decodeProtection(one)
      return protection?.encryption === 'none' && protection.signature.kind === 'none' ? null : protection
    })
  }

  async sealedAmong(messageIds: readonly string[]): Promise<readonly string[]> {
    const records = await this.#unlocked().records()
    const asked = messageIds.slice(-ASKED_AT_ONCE)
    const names = asked.map((id) => messageIdsIn(id).flatMap((one) => records.messageNames(one)))
    const known = (await this.#inner.knowsSealed(names.flat())).values()
    return asked.filter((_, index) => names[index]!.map(() => known.next().value).includes(true))
  }

  async #entries<T>(
    mailbox: MailboxId,
    uids: readonly Uid[],
    take: (entry: SummaryEntry) => T | null,
  ): Promise<readonly (T | null)[]> {
    const found = await this.#unlocked().find(mailbox, uids)
    const taken = found.map((one) => (one?.entry instanceof Uint8Array ? take(decodeEntry(one.entry)!) : null))
    for (const one of found) if (one?.entry instanceof Uint8Array) wipe(one.entry)
    return taken
  }

  async messages(mailbox: MailboxId, uids: readonly Uid[], wanted: Wanted): Promise<readonly (ReadMessage | null)[]> {
    if (!wanted.summary && !wanted.content) return this.#inner.messages(mailbox, uids, wanted)
    const index = this.#unlocked()
    return readMessages({ inner: this.#inner, index, readAlone: (uid) => this.read(mailbox, uid) }, mailbox, {
      uids,
      wanted,
    })
  }

  async read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null> {
    const index = this.#unlocked()
    for (let before: ContentId | null = null; ; ) {
      const [found] = await index.find(mailbox, [uid])
      if (!found) return null
      const { content: id, entry } = found
      if (id === before) throw new MessageUnreadable('the content of the message is missing: restore it from a backup')
      before = id
      if (entry === 'unwritten' && !(await this.#inner.contents.read(id))) continue
      if (typeof entry === 'string') throw new MessageUnreadable(WHY_CLOSED[entry])
      try {
        const sealed = await this.#inner.contents.read(id)
        if (sealed) return unsealContent(sealed, decodeEntry(entry)!.sessionKey)
      } finally {
        wipe(entry)
      }
      // Gone between the two questions, or re-sealed: then it has another content, and an entry that fits.
    }
  }

  async textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    this.#unlocked()
    return this.#search ? this.#search.textMatches(mailbox, queries) : allOpen(this.#inner.searchable, mailbox, queries)
  }

  async verifyText(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    this.#unlocked()
    if (this.#search) return this.#search.verify(mailbox, uids, query)
    const { matchingUids } = await import('./read-search.ts')
    return matchingUids(this, mailbox, uids, query)
  }

  async indexing(): Promise<Indexing> {
    const contents = await this.#contents()
    const indexed = await documentsIndexed(this.#inner.searchable)
    // Some of those that are indexed may have been deleted since.
    return { messages: contents, waiting: await this.#inner.pages.waiting(), indexed: Math.min(contents, indexed) }
  }

  async #contents(): Promise<number> {
    return (await this.#inner.contents.tally()).reduce((sum, one) => sum + one.contents, 0)
  }

  #unlocked(): SealedIndex {
    if (!this.#index) throw new KeysNeeded('the mailbox is locked')
    return this.#index
  }

  async coverage(): Promise<Coverage> {
    const sealer = await this.#around.sealer().catch((error) => {
      if (error instanceof NoCertificate) return null
      throw error
    })
    return this.#coverage(sealer?.certificate ?? null)
  }

  async #coverage(current: string | null): Promise<Coverage> {
    return coverageOf(await this.#inner.contents.tally(), current, await this.#inner.resealing())
  }

  resealing(next?: ResealingState): Promise<ResealingState> {
    return this.#inner.resealing(next)
  }

  async reseal(limit: number): Promise<Coverage> {
    const index = this.#unlocked()
    const running = this.#around.sealer().then((sealer) => this.#reseal(index, sealer, limit))
    const settled = running.catch(() => {})
    this.#resealing = Promise.all([this.#resealing, settled]).then(() => {})
    return running
  }

  async #reseal(index: SealedIndex, sealer: Sealer, limit: number): Promise<Coverage> {
    const { account, logger } = this.#around
    const resealer = new Resealer({
      account,
      inner: this.#inner,
      opener: index.opener,
      records: await index.records(),
      sealer,
      logger,
    })
    await resealer.run(limit, () => this.#closed)
    const coverage = await this.#coverage(sealer.certificate)
    if (coverage.waiting > 0 || coverage.state !== 'running') return coverage
    return { ...coverage, state: await this.#inner.resealing('off') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#resealing
    await this.#search?.[Symbol.asyncDispose]()
    await this.#index?.[Symbol.asyncDispose]()
    await this.#inner[Symbol.asyncDispose]()
  }
}
