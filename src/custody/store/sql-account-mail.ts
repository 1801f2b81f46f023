import type { TextQuery } from '#formats/message/message-text.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { AccountDatabases } from './account-databases.ts'
import {
  type AnnotationEntry,
  type AnnotationPlace,
  changeAnnotations,
  plainAnnotations,
  readAnnotations,
} from './annotations.ts'
import type { ChangeHub } from './change-hub.ts'
import { SEEN } from './flags.ts'
import type {
  ContentId,
  Contents,
  IndexedAccountMail,
  IndexedParts,
  Pages,
  SealedMessage,
  Searchable,
} from './indexed-mail-store.ts'
import {
  type Appended,
  type Change,
  type Copied,
  type Coverage,
  type FlagChange,
  type FlagsChanged,
  type Indexing,
  type Mailbox,
  type MailboxChanges,
  type MailboxId,
  type MailboxName,
  type MailboxOverview,
  MailboxRefused,
  type MailboxStatus,
  type MessageFacts,
  type MessageRow,
  MessageUnreadable,
  NoSuchMailbox,
  type Quota,
  type ReadMessage,
  type Relocated,
  type ResealingState,
  type SpecialUse,
  type TextMatches,
  type Uid,
  type Wanted,
} from './mail-store.ts'
import { canonicalName, INBOX } from './mailbox-name.ts'
import type { AccountScope } from './schema.ts'
import { SqlAccess } from './sql-access.ts'
import { readAnnotationOctets, replaceAnnotationOctets } from './sql-annotations.ts'
import { appendAllTo, appendTo } from './sql-append.ts'
import { copyMessages, moveMessages, renameInbox } from './sql-changes.ts'
import { SqlContents } from './sql-contents.ts'
import { setFlags } from './sql-flags.ts'
import { SqlIndexPages } from './sql-index-pages.ts'
import {
  addMailbox,
  addSuperiors,
  mailboxNamed,
  readMailbox,
  readMailboxes,
  readStatus,
  readSubscriptions,
  renameMailbox,
  setSubscription,
} from './sql-mailboxes.ts'
import {
  allMessages,
  factsOf,
  messagesChanged,
  messagesMarkedDeleted,
  messagesOf,
  rowOf,
  type StoredMessage,
} from './sql-messages.ts'
import { readCertainOverview, readOverview } from './sql-overview.ts'
import { findContent, readParts, readSummaries, readWaiting } from './sql-parts.ts'
import { readQuota } from './sql-quota.ts'
import { removeMailbox, removeMessages } from './sql-removal.ts'
import { readPlainCoverage, readResealing, writeResealing } from './sql-resealing.ts'
import { readRows } from './sql-rows.ts'
import { knowsSealedNames } from './sql-sealed-names.ts'
import { SqlSearchable } from './sql-searchable.ts'
import { readVanished } from './sql-vanished.ts'

const LISTED: Change = { kind: 'mailboxes' }

export class SqlAccountMail implements IndexedAccountMail {
  readonly contents: Contents
  readonly pages: Pages
  readonly searchable: Searchable
  readonly #access: SqlAccess
  readonly #account: AccountId
  readonly #hub: ChangeHub
  readonly #now: () => number

  constructor(databases: AccountDatabases, account: AccountId, hub: ChangeHub, now: () => number) {
    this.#access = new SqlAccess(databases, account)
    this.searchable = new SqlSearchable(this.#access, databases.paths(account).search, now)
    this.pages = new SqlIndexPages(this.#access)
    this.contents = new SqlContents(this.#access, (...mailboxes) => this.#notify(...mailboxes))
    this.#account = account
    this.#hub = hub
    this.#now = now
  }

  #notify(...mailboxes: MailboxId[]): void {
    for (const mailbox of new Set(mailboxes)) this.#hub.notify(this.#account, mailbox)
  }

  mailboxes(): Promise<readonly Mailbox[]> {
    return this.#access.read(readMailboxes)
  }

  mailbox(which: MailboxName | MailboxId): Promise<Mailbox | null> {
    return this.#access.read((scope) => readMailbox(scope, which))
  }

  subscriptions(): Promise<readonly MailboxName[]> {
    return this.#access.read(readSubscriptions)
  }

  async subscribe(name: MailboxName, subscribed: boolean): Promise<void> {
    const canonical = canonicalName(name)
    await this.#access.write((scope) => setSubscription(scope, canonical, subscribed))
    this.#hub.notify(this.#account, 0, LISTED)
  }

  async createMailbox(name: MailboxName, specialUse?: SpecialUse): Promise<Mailbox> {
    const canonical = canonicalName(name)
    const made = await this.#access.write(async (scope) => {
      const id = await addMailbox(scope, { name: canonical, specialUse: specialUse ?? null }, this.#now())
      await addSuperiors(scope, canonical, this.#now())
      return (await readMailbox(scope, id))!
    })
    this.#hub.notify(this.#account, made.id, LISTED)
    return made
  }

  async deleteMailbox(name: MailboxName): Promise<void> {
    const canonical = canonicalName(name)
    if (canonical === INBOX) throw new MailboxRefused('INBOX cannot be deleted')
    const mailbox = await this.#access.removal(async (scope) => {
      const answer = await mailboxNamed(scope, canonical)
      if (answer === null) throw new NoSuchMailbox('no such mailbox')
      return { answer, files: await removeMailbox(scope, answer, await allMessages(scope, answer)) }
    })
    this.#hub.notify(this.#account, mailbox, LISTED)
  }

  async renameMailbox(from: MailboxName, to: MailboxName): Promise<Relocated | null> {
    const names = { from: canonicalName(from), to: canonicalName(to) }
    if (names.from === INBOX) {
      const moved = await this.#access.write((scope) => renameInbox(scope, names.to, this.#now()))
      this.#notify(moved.from)
      this.#hub.notify(this.#account, moved.to, LISTED)
      return moved
    }
    const renamed = await this.#access.write((scope) => renameMailbox(scope, names, this.#now()))
    this.#hub.notify(this.#account, renamed, LISTED)
    return null
  }

  status(mailbox: MailboxId): Promise<MailboxStatus> {
    return this.#access.read((scope) => readStatus(scope, mailbox))
  }

  async overview(mailbox: MailboxId, known?: number): Promise<MailboxOverview> {
    const read = await this.#access.read((scope) => readOverview(scope, mailbox, known))
    if (read) return read
    // Nobody changes anything while a transaction runs.
    return this.#access.write((scope) => readCertainOverview(scope, mailbox))
  }

  rows(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]> {
    return this.#access.read(async (scope, { db, account }) => {
      await readStatus(scope, mailbox)
      return readRows({ db, account }, mailbox, uids)
    })
  }

  list(mailbox: MailboxId): Promise<readonly MessageRow[]> {
    return this.#access.read(async (scope) => {
      await readStatus(scope, mailbox)
      return (await allMessages(scope, mailbox)).map(rowOf)
    })
  }

  /** The MODSEQ is read first: what changes between the queries is told again next time rather than never. */
  changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges> {
    return this.#access.read(async (scope) => {
      const { highestModseq } = await readStatus(scope, mailbox)
      if (highestModseq <= modseq) return { changed: [], vanished: new Uint32Array(), highestModseq }
      const changed = (await messagesChanged(scope, mailbox, modseq)).map(rowOf)
      return { changed, vanished: await readVanished(scope, mailbox, modseq), highestModseq }
    })
  }

  facts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageFacts | null)[]> {
    return this.#access.read(async (scope) => {
      await readStatus(scope, mailbox)
      const found = new Map((await messagesOf(scope, mailbox, uids)).map((message) => [message.uid, message]))
      return uids.map((uid) => {
        const message = found.get(uid)
        return message ? factsOf(message) : null
      })
    })
  }

  summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]> {
    return this.#access.read(async (scope) => {
      await readStatus(scope, mailbox)
      return readSummaries(scope, mailbox, uids)
    })
  }

  async read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null> {
    const found = () => this.#access.read((scope) => findContent(scope, mailbox, uid))
    for (let id = await found(), before: ContentId | null = null; id !== null; before = id, id = await found()) {
      if (id === before) throw new MessageUnreadable('the content of the message is missing: restore it from a backup')
      const octets = await this.contents.read(id)
      // Otherwise the message went, or was re-sealed, between the two questions.
      if (octets) return octets
    }
    await this.status(mailbox)
    return null
  }

  async messages(mailbox: MailboxId, uids: readonly Uid[], wanted: Wanted): Promise<readonly (ReadMessage | null)[]> {
    const { stored, summaries } = await this.#access.read(async (scope) => {
      const found = await messagesOf(scope, mailbox, uids)
      if (found.length === 0) await readStatus(scope, mailbox)
      return { stored: found, summaries: wanted.summary ? await readSummaries(scope, mailbox, uids) : [] }
    })
    const contents = wanted.content ? await this.contents.readAll(stored.map((one) => one.content_id)) : null
    const rows = new Map(stored.map((one) => [one.uid, one]))
    return Promise.all(
      uids.map(async (uid, index): Promise<ReadMessage | null> => {
        const row = rows.get(uid)
        if (!row) return null
        const one = { uid, row: wanted.row ? rowOf(row) : null, summary: summaries[index] ?? null }
        // What is not there any more went, or was re-sealed, between the two questions.
        const content = contents && (contents.get(row.content_id) ?? (await this.read(mailbox, uid)))
        if (contents && !content) return null
        if (content instanceof Error) return { ...one, content: null, unreadable: content.message }
        return { ...one, content, unreadable: null }
      }),
    )
  }

  async textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    const { searchByReading } = await import('./read-search.ts')
    return searchByReading(this, mailbox, queries)
  }

  async verifyText(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    const { matchingUids } = await import('./read-search.ts')
    return matchingUids(this, mailbox, uids, query)
  }

  async indexing(): Promise<Indexing> {
    const { contents } = await this.coverage()
    return { messages: contents, waiting: 0, indexed: contents }
  }

  async append(mailbox: MailboxId, message: SealedMessage): Promise<Appended> {
    const { appended, isNew } = await this.#access.use((database) =>
      appendTo(database, async () => mailbox, message, this.#now()),
    )
    if (isNew) this.#notify(appended.mailbox)
    return appended
  }

  async appendAll(mailbox: MailboxId, messages: readonly SealedMessage[]): Promise<readonly Appended[]> {
    const all = await this.#access.use((database) => appendAllTo(database, async () => mailbox, messages, this.#now()))
    if (all.length > 0) this.#notify(mailbox)
    return all.map(({ appended }) => appended)
  }

  annotationPlace(mailbox: MailboxId | null): AnnotationPlace {
    return {
      read: () => this.#access.read((scope) => readAnnotationOctets(scope, mailbox)),
      replace: async (before, after, names) => {
        const isDone = await this.#access.write((scope) => replaceAnnotationOctets(scope, mailbox, before, after))
        if (isDone && names.length > 0) this.#hub.notify(this.#account, mailbox ?? 0, { kind: 'annotations', names })
        return isDone
      },
    }
  }

  annotations(mailbox: MailboxId | null): Promise<ReadonlyMap<string, Bytes>> {
    return readAnnotations(this.annotationPlace(mailbox), plainAnnotations)
  }

  annotate(mailbox: MailboxId | null, entries: readonly AnnotationEntry[]): Promise<void> {
    return changeAnnotations(this.annotationPlace(mailbox), plainAnnotations, entries)
  }

  async setFlags(mailbox: MailboxId, uids: readonly Uid[], change: FlagChange): Promise<FlagsChanged> {
    const answer = await this.#access.write((scope) => setFlags(scope, mailbox, uids, change))
    if (answer.after !== answer.before) this.#notify(mailbox)
    return answer
  }

  async copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    const copied = await this.#access.write((scope) => copyMessages(scope, { from, uids, to, at: this.#now() }))
    if (copied.uids.length > 0) this.#notify(to)
    return copied
  }

  async move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    const moved = await this.#access.write((scope) => moveMessages(scope, { from, uids, to, at: this.#now() }))
    if (moved.uids.length > 0) this.#notify(from, to)
    return moved
  }

  async expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#remove(mailbox, (scope) => messagesMarkedDeleted(scope, mailbox, uids))
  }

  async remove(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#remove(mailbox, (scope) => messagesOf(scope, mailbox, uids))
  }

  async #remove(mailbox: MailboxId, choose: (scope: AccountScope) => Promise<readonly StoredMessage[]>) {
    const removed = await this.#access.removal(async (scope) => {
      await readStatus(scope, mailbox)
      const chosen = await choose(scope)
      const files = chosen.length > 0 ? await removeMessages(scope, mailbox, chosen) : []
      return { answer: chosen.map(({ uid }) => uid), files }
    })
    if (removed.length > 0) this.#notify(mailbox)
    return removed
  }

  protections(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly null[]> {
    return this.#access.read(async (scope) => {
      await readStatus(scope, mailbox)
      return uids.map(() => null)
    })
  }

  quota(): Promise<Quota> {
    return this.#access.read(readQuota)
  }

  waiting(mailbox: MailboxId, before: Uid | null, limit: number): Promise<readonly Uid[]> {
    return this.#access.read((scope) => readWaiting(scope, mailbox, { before, limit }))
  }

  parts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (IndexedParts | null)[]> {
    return this.#access.read((scope) => readParts(scope, mailbox, uids))
  }

  unseen(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    return this.#access.read(async (scope) => {
      const found = await messagesOf(scope, mailbox, uids)
      return found.filter(({ flags }) => (flags & SEEN) === 0).map(({ uid }) => uid)
    })
  }

  async sealedAmong(): Promise<readonly string[]> {
    return []
  }

  knowsSealed(names: readonly Bytes[]): Promise<readonly boolean[]> {
    return this.#access.read((scope) => knowsSealedNames(scope, names))
  }

  coverage(): Promise<Coverage> {
    return this.#access.read(readPlainCoverage)
  }

  async resealing(next?: ResealingState): Promise<ResealingState> {
    if (next === undefined) return this.#access.read(readResealing)
    await this.#access.write((scope) => writeResealing(scope, next))
    return next
  }

  reseal(): Promise<Coverage> {
    return this.coverage()
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
