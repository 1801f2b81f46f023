import type { TextQuery } from '#formats/message/message-text.ts'
import type { Bytes } from '#lib/bytes.ts'
import {
  type AnnotationEntry,
  type AnnotationPlace,
  changeAnnotations,
  plainAnnotations,
  readAnnotations,
} from './annotations.ts'
import { applyFlags, DELETED, encodeFlags, SEEN, sameFlags } from './flags.ts'
import type {
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
  NoSuchMailbox,
  type Quota,
  type ReadMessage,
  type Relocated,
  type ResealingState,
  type SpecialUse,
  type TextMatches,
  TooManyMailboxes,
  type Uid,
  type Wanted,
} from './mail-store.ts'
import { byName, canonicalName, INBOX, isInferior, MAILBOXES_PER_ACCOUNT } from './mailbox-name.ts'
import {
  learnKeywords,
  type MemoryAccount,
  type MemoryMailbox,
  type MemoryMessage,
  mailboxOf,
  rowOf,
  statusOf,
} from './memory-account.ts'
import { MemoryContents, partsOf } from './memory-contents.ts'
import { overviewOf, vanishedSince } from './memory-overview.ts'
import { MemorySearchable } from './memory-searchable.ts'
import { checkQuota, MESSAGE_COST } from './quota.ts'
import { matchingUids, searchByReading } from './read-search.ts'

const LISTED: Change = { kind: 'mailboxes' }

export class MemoryAccountMail implements IndexedAccountMail {
  readonly #account: MemoryAccount
  readonly contents: Contents
  readonly pages: Pages
  readonly searchable: Searchable

  constructor(account: MemoryAccount) {
    this.#account = account
    this.searchable = new MemorySearchable(account)
    this.pages = account.pages
    this.contents = new MemoryContents(account)
  }

  async mailboxes(): Promise<readonly Mailbox[]> {
    const { mailboxes, subscribed } = this.#account
    return [...mailboxes.values()].map((mailbox) => mailboxOf(mailbox, subscribed)).sort(byName)
  }

  async mailbox(which: MailboxName | MailboxId): Promise<Mailbox | null> {
    const { mailboxes, subscribed } = this.#account
    const found = typeof which === 'number' ? mailboxes.get(which) : this.#account.named(which)
    return found ? mailboxOf(found, subscribed) : null
  }

  async subscriptions(): Promise<readonly MailboxName[]> {
    return [...this.#account.subscribed].sort()
  }

  async subscribe(name: MailboxName, subscribed: boolean): Promise<void> {
    const names = this.#account.subscribed
    const canonical = canonicalName(name)
    if (!subscribed) names.delete(canonical)
    else if (names.size < MAILBOXES_PER_ACCOUNT) names.add(canonical)
    else throw new TooManyMailboxes('too many subscriptions')
    this.#account.notify(0, LISTED)
  }

  async createMailbox(name: MailboxName, specialUse?: SpecialUse): Promise<Mailbox> {
    const account = this.#account
    const canonical = canonicalName(name)
    const added = account.addMailbox(canonical, specialUse ?? null)
    account.addSuperiors(canonical)
    account.notify(added.id, LISTED)
    return mailboxOf(added, account.subscribed)
  }

  #named(name: MailboxName): MemoryMailbox {
    const found = this.#account.named(canonicalName(name))
    if (!found) throw new NoSuchMailbox('no such mailbox')
    return found
  }

  async deleteMailbox(name: MailboxName): Promise<void> {
    const mailbox = this.#named(name)
    if (mailbox.name === INBOX) throw new MailboxRefused('INBOX cannot be deleted')
    const modseq = this.#account.nextModseq()
    for (const uid of [...mailbox.messages.keys()]) this.#account.removeMessage(mailbox, uid, modseq)
    this.#account.replaceAnnotations(mailbox.id, this.#account.annotations.get(mailbox.id) ?? null, null)
    this.#account.mailboxes.delete(mailbox.id)
    this.#account.notify(mailbox.id, LISTED)
  }

  async renameMailbox(from: MailboxName, to: MailboxName): Promise<Relocated | null> {
    const mailbox = this.#named(from)
    const target = canonicalName(to)
    if (mailbox.name === INBOX) {
      const made = this.#account.addMailbox(target, null)
      this.#account.addSuperiors(target)
      const moved = await this.move(mailbox.id, [...mailbox.messages.keys()], made.id)
      this.#account.notify(made.id, LISTED)
      return { from: mailbox.id, to: made.id, ...moved }
    }
    if (isInferior(target, mailbox.name)) throw new MailboxRefused('a mailbox cannot become its own inferior')
    this.#account.rename(mailbox, target)
    this.#account.notify(mailbox.id, LISTED)
    return null
  }

  async status(mailbox: MailboxId): Promise<MailboxStatus> {
    return statusOf(this.#account.mailbox(mailbox))
  }

  async overview(mailbox: MailboxId, known?: number): Promise<MailboxOverview> {
    return overviewOf(this.#account.mailbox(mailbox), known)
  }

  async rows(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.map((uid) => {
      const message = messages.get(uid)
      return message ? rowOf(message) : null
    })
  }

  async list(mailbox: MailboxId): Promise<readonly MessageRow[]> {
    return [...this.#account.mailbox(mailbox).messages.values()].map(rowOf)
  }

  async changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges> {
    const { messages, vanished, highestModseq } = this.#account.mailbox(mailbox)
    return {
      changed: [...messages.values()].filter((message) => message.modseq > modseq).map(rowOf),
      vanished: vanishedSince(vanished, modseq),
      highestModseq,
    }
  }

  async facts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageFacts | null)[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.map((uid) => {
      const message = messages.get(uid)
      return message ? { emailId: `M${message.emailId}`, savedDate: message.savedDate } : null
    })
  }

  async summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.map((uid) => messages.get(uid)?.summary ?? null)
  }

  async read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null> {
    return this.#account.mailbox(mailbox).messages.get(uid)?.content.octets ?? null
  }

  async messages(mailbox: MailboxId, uids: readonly Uid[], wanted: Wanted): Promise<readonly (ReadMessage | null)[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.map((uid) => {
      const message = messages.get(uid)
      if (!message) return null
      const row = wanted.row ? rowOf(message) : null
      const summary = wanted.summary ? message.summary : null
      return {
        uid,
        row,
        summary,
        content: wanted.content ? Buffer.from(message.content.octets) : null,
        unreadable: null,
      }
    })
  }

  textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    return searchByReading(this, mailbox, queries)
  }

  async verifyText(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    return matchingUids(this, mailbox, uids, query)
  }

  async indexing(): Promise<Indexing> {
    const { contents } = await this.coverage()
    return { messages: contents, waiting: 0, indexed: contents }
  }

  async append(mailbox: MailboxId, message: SealedMessage): Promise<Appended> {
    return this.#account.append(this.#account.mailbox(mailbox), message)
  }

  async appendAll(mailbox: MailboxId, messages: readonly SealedMessage[]): Promise<readonly Appended[]> {
    return this.#account.appendAll(this.#account.mailbox(mailbox), messages)
  }

  annotationPlace(mailbox: MailboxId | null): AnnotationPlace {
    const account = this.#account
    return {
      async read() {
        if (mailbox !== null) account.mailbox(mailbox)
        return account.annotations.get(mailbox) ?? null
      },
      async replace(before, after, names) {
        if (mailbox !== null) account.mailbox(mailbox)
        const isDone = account.replaceAnnotations(mailbox, before, after)
        if (isDone && names.length > 0) account.notify(mailbox ?? 0, { kind: 'annotations', names })
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
    const box = this.#account.mailbox(mailbox)
    const before = box.highestModseq
    const given = encodeFlags(change.flags)
    const limit = change.unchangedSince ?? Number.POSITIVE_INFINITY
    const found = messagesOf(box, uids)
    const spared = found.filter((message) => message.modseq > limit).map(({ uid }) => uid)
    const rest = found.filter((message) => message.modseq <= limit)
    const next = rest.map((message) => applyFlags(message.flags, change.mode, given))
    const changed = rest.filter((message, i) => !sameFlags(message.flags, next[i]!))
    if (changed.length > 0) {
      for (const flags of next) learnKeywords(box, flags)
      const modseq = this.#account.nextModseq()
      for (const message of changed) message.modseq = modseq
      rest.forEach((message, i) => {
        message.flags = next[i]!
      })
      box.highestModseq = modseq
      this.#account.notify(mailbox)
    }
    return { rows: rest.map(rowOf), spared, before, after: box.highestModseq }
  }

  async copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    const [source, target] = [this.#account.mailbox(from), this.#account.mailbox(to)]
    const found = messagesOf(source, uids)
    const { used, limit } = this.#account.quota()
    checkQuota(used, found.length * MESSAGE_COST, limit)
    return this.#copy(found, target)
  }

  #copy(found: readonly MemoryMessage[], target: MemoryMailbox): Copied {
    if (found.length === 0) return { uidValidity: target.uidValidity, uids: [] }
    const modseq = this.#account.nextModseq()
    const savedDate = this.#account.now()
    const copies = found.map((message) => {
      const copy = this.#account.addMessage(target, { ...message, modseq, savedDate })
      return [message.uid, copy.uid]
    })
    this.#account.notify(target.id)
    return { uidValidity: target.uidValidity, uids: copies as [Uid, Uid][] }
  }

  async move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    const [source, target] = [this.#account.mailbox(from), this.#account.mailbox(to)]
    const copied = this.#copy(messagesOf(source, uids), target)
    if (copied.uids.length > 0) {
      const modseq = this.#account.nextModseq()
      for (const [uid] of copied.uids) this.#account.removeMessage(source, uid, modseq)
      this.#account.notify(from)
    }
    return copied
  }

  async expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]> {
    const box = this.#account.mailbox(mailbox)
    const marked = messagesOf(box, uids ?? [...box.messages.keys()]).filter(
      ({ flags }) => (flags.system & DELETED) !== 0,
    )
    return this.remove(
      mailbox,
      marked.map(({ uid }) => uid),
    )
  }

  async remove(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    const box = this.#account.mailbox(mailbox)
    const removed = messagesOf(box, uids).map(({ uid }) => uid)
    if (removed.length === 0) return removed
    const modseq = this.#account.nextModseq()
    for (const uid of removed) this.#account.removeMessage(box, uid, modseq)
    this.#account.notify(mailbox)
    return removed
  }

  async protections(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly null[]> {
    this.#account.mailbox(mailbox)
    return uids.map(() => null)
  }

  async sealedAmong(): Promise<readonly string[]> {
    return []
  }

  async knowsSealed(names: readonly Bytes[]): Promise<readonly boolean[]> {
    return names.map((name) => this.#account.sealedNames.has(Buffer.from(name).toString('hex')))
  }

  async quota(): Promise<Quota> {
    return this.#account.quota()
  }

  async waiting(mailbox: MailboxId, before: Uid | null, limit: number): Promise<readonly Uid[]> {
    const waiting: Uid[] = []
    const messages = this.#account.mailboxes.get(mailbox)?.messages ?? new Map<Uid, MemoryMessage>()
    for (const { uid, page } of [...messages.values()].reverse()) {
      if (waiting.length === limit) break
      if (page === null && (before === null || uid < before)) waiting.push(uid)
    }
    return waiting
  }

  async parts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (IndexedParts | null)[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.map((uid) => {
      const message = messages.get(uid)
      return message ? partsOf(message) : null
    })
  }

  async unseen(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    const messages = this.#account.mailboxes.get(mailbox)?.messages
    return uids.filter((uid) => {
      const message = messages?.get(uid)
      return message !== undefined && (message.flags.system & SEEN) === 0
    })
  }

  async coverage(): Promise<Coverage> {
    const contents = (await this.contents.tally()).reduce((sum, one) => sum + one.contents, 0)
    return { contents, current: contents, waiting: 0, unreadable: 0, state: this.#account.resealing }
  }

  async resealing(next?: ResealingState): Promise<ResealingState> {
    if (next === 'running') for (const { content } of this.#account.messages()) content.unreadable = false
    this.#account.resealing = next ?? this.#account.resealing
    return this.#account.resealing
  }

  reseal(): Promise<Coverage> {
    return this.coverage()
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Those of `uids` that are there, ascending, each once. */
function messagesOf(mailbox: MemoryMailbox, uids: readonly Uid[]): MemoryMessage[] {
  return [...new Set(uids)].sort((a, b) => a - b).flatMap((uid) => mailbox.messages.get(uid) ?? [])
}
