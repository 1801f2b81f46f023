import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { createClaims } from '#lib/claims.ts'
import { DELETED, decodeFlags, encodeFlags, type FlagSet, KEYWORDS_PER_MAILBOX, SEEN } from './flags.ts'
import type { ContentId, ContentReplacement, PageId, SealedMessage, UnsealingState } from './indexed-mail-store.ts'
import {
  type Appended,
  type Change,
  type Mailbox,
  MailboxExists,
  type MailboxId,
  type MailboxName,
  MailboxRefused,
  type MailboxStatus,
  type MessageRow,
  NoSuchMailbox,
  type Quota,
  type ResealingState,
  type SpecialUse,
  TooManyFlags,
  TooManyMailboxes,
  type Uid,
} from './mail-store.ts'
import { FIRST_MAILBOXES, isInferior, MAILBOXES_PER_ACCOUNT, superiorNames } from './mailbox-name.ts'
import { MemoryPages } from './memory-pages.ts'
import { checkQuota, MESSAGE_COST } from './quota.ts'

interface Content {
  readonly id: ContentId
  readonly octets: Bytes
  references: number
  sealedTo: string | null
  unreadable: boolean
  unsealing: UnsealingState
}

export interface MemoryMessage {
  readonly uid: Uid
  content: Content
  readonly internalDate: number
  flags: FlagSet
  modseq: number
  summary: Bytes | null
  page: PageId | null
  emailId: ContentId
  /** Milliseconds since the epoch. */
  readonly savedDate: number
}

export interface MemoryMailbox {
  readonly id: MailboxId
  readonly uidValidity: number
  name: MailboxName
  specialUse: SpecialUse | null
  uidNext: Uid
  highestModseq: number
  readonly messages: Map<Uid, MemoryMessage>
  /** Lower case, and as first spelled. */
  readonly keywords: Map<string, string>
  readonly vanished: { readonly uid: Uid; readonly modseq: number }[]
}

/** One account's mail: the state and the steps that every change is made of. */
export class MemoryAccount {
  readonly mailboxes = new Map<MailboxId, MemoryMailbox>()
  readonly pages = new MemoryPages(() => this.messages())
  readonly subscribed = new Set<MailboxName>()
  readonly notify: (mailbox: MailboxId, change?: Change) => void
  readonly #delivered = new Map<string, Appended>()
  limit: number | null = null
  resealing: ResealingState = 'off'
  /** Hex. */
  readonly sealedNames = new Set<string>()
  /** Encoded; of the account itself under null. */
  readonly annotations = new Map<MailboxId | null, Bytes>()
  readonly searchFiles = new Map<string, Bytes>()
  readonly searchClaims = createClaims()
  #used = 0
  #modseq = 0
  #nextMailbox = 1
  #nextContent = 1
  #nextUidValidity: number

  /** Milliseconds since the epoch, to the second. */
  readonly now: () => number

  constructor(firstUidValidity: number, notify: MemoryAccount['notify'], now: () => number) {
    this.now = () => Math.floor(now() / 1000) * 1000
    this.#nextUidValidity = firstUidValidity
    this.notify = notify
    for (const [name, specialUse] of FIRST_MAILBOXES) {
      this.addMailbox(name, specialUse)
      this.subscribed.add(name)
    }
  }

  nextModseq(): number {
    return ++this.#modseq
  }

  quota(): Quota {
    return { used: this.#used, limit: this.limit }
  }

  named(name: MailboxName): MemoryMailbox | null {
    return [...this.mailboxes.values()].find((mailbox) => mailbox.name === name) ?? null
  }

  mailbox(id: MailboxId): MemoryMailbox {
    const found = this.mailboxes.get(id)
    if (!found) throw new NoSuchMailbox('no such mailbox')
    return found
  }

  addMailbox(name: MailboxName, specialUse: SpecialUse | null): MemoryMailbox {
    if (this.named(name)) throw new MailboxExists('the mailbox exists')
    if (this.mailboxes.size >= MAILBOXES_PER_ACCOUNT) throw new TooManyMailboxes('too many mailboxes')
    if (specialUse && [...this.mailboxes.values()].some((mailbox) => mailbox.specialUse === specialUse))
      throw new MailboxRefused(`there is a mailbox for ${specialUse} already`)
    const mailbox: MemoryMailbox = {
      id: this.#nextMailbox++,
      uidValidity: this.#nextUidValidity++,
      name,
      specialUse,
      uidNext: 1,
      highestModseq: this.nextModseq(),
      messages: new Map(),
      keywords: new Map(),
      vanished: [],
    }
    this.mailboxes.set(mailbox.id, mailbox)
    return mailbox
  }

  addSuperiors(name: MailboxName): void {
    for (const superior of superiorNames(name)) if (!this.named(superior)) this.addMailbox(superior, null)
  }

  /** Its inferiors go with it (RFC 3501 §6.3.5). Not for INBOX, which stays. */
  rename(mailbox: MemoryMailbox, to: MailboxName): void {
    const from = mailbox.name
    const moved = [mailbox]
    for (const one of this.mailboxes.values()) if (isInferior(one.name, from)) moved.push(one)
    const newName = (one: MemoryMailbox) => to + one.name.slice(from.length)
    if (moved.some((one) => this.named(newName(one)))) throw new MailboxExists('a mailbox of that name exists')
    for (const [one, name] of moved.map((one) => [one, newName(one)] as const)) one.name = name
    this.addSuperiors(to)
  }

  append(mailbox: MemoryMailbox, message: SealedMessage): Appended {
    const earlier = message.deliveryKey === undefined ? undefined : this.#delivered.get(message.deliveryKey)
    if (earlier) return earlier
    const flags = encodeFlags(message.flags)
    checkQuota(this.#used, message.content.byteLength + MESSAGE_COST, this.limit)
    const content = this.#newContent(message.content, message.sealedTo ?? null)
    const { uid } = this.addMessage(mailbox, {
      content,
      internalDate: Math.floor(message.internalDate / 1000) * 1000,
      flags,
      modseq: this.nextModseq(),
      summary: Buffer.from(message.summary),
      page: null,
      emailId: content.id,
      savedDate: this.now(),
    })
    const appended = { mailbox: mailbox.id, uidValidity: mailbox.uidValidity, uid }
    if (message.deliveryKey !== undefined) this.#delivered.set(message.deliveryKey, appended)
    this.notify(mailbox.id)
    return appended
  }

  appendAll(mailbox: MemoryMailbox, messages: readonly SealedMessage[]): readonly Appended[] {
    for (const { flags } of messages) encodeFlags(flags)
    const octets = messages.reduce((sum, { content }) => sum + content.byteLength + MESSAGE_COST, 0)
    checkQuota(this.#used, octets, this.limit)
    return messages.map((message) => this.append(mailbox, message))
  }

  /** false when `before` is not what is there. */
  replaceAnnotations(mailbox: MailboxId | null, before: Bytes | null, after: Bytes | null): boolean {
    const now = this.annotations.get(mailbox) ?? null
    if (now === null || before === null ? now !== before : !asBuffer(now).equals(before)) return false
    const more = (after?.byteLength ?? 0) - (now?.byteLength ?? 0)
    checkQuota(this.#used, more, this.limit)
    this.#used += more
    if (after) this.annotations.set(mailbox, after)
    else this.annotations.delete(mailbox)
    return true
  }

  #newContent(octets: Bytes, sealedTo: string | null): Content {
    return {
      id: this.#nextContent++,
      octets: Buffer.from(octets),
      references: 0,
      sealedTo,
      unreadable: false,
      unsealing: 0,
    }
  }

  messages(): MemoryMessage[] {
    return [...this.mailboxes.values()].flatMap(({ messages }) => [...messages.values()])
  }

  replaceContent(id: ContentId, replacement: ContentReplacement): boolean {
    const { octets, sealedTo, page: seal, unsealing, renumbers, cameSealed } = replacement
    const old = this.messages().find(({ content }) => content.id === id)?.content
    if (!old) return false
    for (const name of cameSealed?.names ?? []) this.sealedNames.add(Buffer.from(name).toString('hex'))
    if (renumbers) this.#renumber(id)
    const content = Object.assign(this.#newContent(octets, sealedTo), { unsealing: unsealing ?? old.unsealing })
    const page = this.pages.add((number) => seal(number, content.id))
    const before = new Set<PageId | null>()
    for (const message of this.messages()) {
      if (message.content.id !== id) continue
      if (content.references++ === 0) this.#used += octets.byteLength - message.content.octets.byteLength
      before.add(message.page)
      // RFC 8474 §5.1: other octets are another email.
      if (renumbers) message.emailId = content.id
      Object.assign(message, { content, summary: null, page })
    }
    this.pages.settle([...before, page])
    return true
  }

  #renumber(id: ContentId): void {
    for (const mailbox of this.mailboxes.values()) {
      const found = [...mailbox.messages.values()].filter(({ content }) => content.id === id)
      if (found.length === 0) continue
      const modseq = this.nextModseq()
      for (const message of found) {
        this.addMessage(mailbox, { ...message, modseq })
        this.removeMessage(mailbox, message.uid, modseq)
      }
      this.notify(mailbox.id)
    }
  }

  addMessage(mailbox: MemoryMailbox, message: Omit<MemoryMessage, 'uid'>): MemoryMessage {
    learnKeywords(mailbox, message.flags)
    const added = { ...message, uid: mailbox.uidNext++ }
    if (message.content.references++ === 0) this.#used += message.content.octets.byteLength
    this.#used += MESSAGE_COST
    mailbox.messages.set(added.uid, added)
    mailbox.highestModseq = message.modseq
    return added
  }

  removeMessage(mailbox: MemoryMailbox, uid: Uid, modseq: number): void {
    const { content, page } = mailbox.messages.get(uid)!
    if (--content.references === 0) this.#used -= content.octets.byteLength
    this.#used -= MESSAGE_COST
    mailbox.messages.delete(uid)
    if (content.references === 0) this.pages.settle([page])
    mailbox.vanished.push({ uid, modseq })
    mailbox.highestModseq = modseq
  }
}

/** Throws TooManyFlags. */
export function learnKeywords(mailbox: MemoryMailbox, { keywords }: FlagSet): void {
  if (keywords === '') return
  for (const name of keywords.split(' ')) {
    const folded = name.toLowerCase()
    if (mailbox.keywords.has(folded)) continue
    if (mailbox.keywords.size >= KEYWORDS_PER_MAILBOX) forgetUnused(mailbox)
    mailbox.keywords.set(folded, name)
  }
}

function forgetUnused({ keywords, messages }: MemoryMailbox): void {
  const used = new Set([...messages.values()].flatMap(({ flags }) => flags.keywords.toLowerCase().split(' ')))
  for (const folded of keywords.keys()) if (!used.has(folded)) keywords.delete(folded)
  if (keywords.size >= KEYWORDS_PER_MAILBOX)
    throw new TooManyFlags(`more than ${KEYWORDS_PER_MAILBOX} keywords in a mailbox`)
}

export function rowOf(message: MemoryMessage): MessageRow {
  return {
    uid: message.uid,
    modseq: message.modseq,
    internalDate: message.internalDate,
    flags: decodeFlags(message.flags),
    paddedSize: message.content.octets.byteLength,
  }
}

export function statusOf(mailbox: MemoryMailbox): MailboxStatus {
  const messages = [...mailbox.messages.values()]
  return {
    messages: messages.length,
    unseen: messages.filter(({ flags }) => (flags.system & SEEN) === 0).length,
    deleted: messages.filter(({ flags }) => (flags.system & DELETED) !== 0).length,
    uidNext: mailbox.uidNext,
    uidValidity: mailbox.uidValidity,
    highestModseq: mailbox.highestModseq,
    size: messages.reduce((size, { content }) => size + content.octets.byteLength, 0),
  }
}

export function mailboxOf(mailbox: MemoryMailbox, subscribed: ReadonlySet<MailboxName>): Mailbox {
  const { id, name, uidValidity, specialUse } = mailbox
  return { id, name, uidValidity, subscribed: subscribed.has(name), specialUse }
}
