/**
 * Tells a client what it asked for with NOTIFY (RFC 5465), whenever no command is being done and while it is in IDLE (§4). News are kept
 * as what there is news of, not as a list of what happened: a client that reads slowly costs no more, and hears the newest.
 */
import { type Change, type MailboxId, NoSuchMailbox } from '#custody/store/mail-store.ts'
import type { StatusAttribute } from '#formats/imap/command.ts'
import { formatChangedMetadata } from '#formats/imap/mailbox-response.ts'
import { Turn } from '#lib/turn.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { statusOf } from '../commands/status.ts'
import type { Conversation } from '../conversation.ts'
import { needsOf } from '../fetch/needs.ts'
import { openedMessages } from '../fetch/opened-messages.ts'
import { sendResponse } from '../fetch/response.ts'
import type { SelectedMailbox, Telling } from '../selected.ts'
import { type Known, listChanges, namesIn } from './known-mailboxes.ts'
import type { NewsTeller } from './news-teller.ts'
import type { Wishes } from './wishes.ts'

/** Names of entries that wait to be told; beyond that nothing more is (RFC 5465 §5.8). */
const ENTRIES_WAITING = 1_000

export class Notifier implements NewsTeller {
  readonly #talk: Conversation
  #wishes: Wishes
  readonly #subscription: Disposable
  #known: Known
  /** What was told of a mailbox last. */
  readonly #told = new Map<MailboxId, string>()
  /** Mailboxes, but for the selected one, in which something changed. */
  readonly #changed = new Set<MailboxId>()
  #selectedChanged = false
  #listChanged = false
  /** By mailbox; 0 stands for the account. */
  readonly #entries = new Map<MailboxId, Set<string>>()
  #entriesWaiting = 0
  /** A command is being done: what there is to tell waits. */
  #paused = true
  #idling = false
  #running: Promise<void> = Promise.resolve()
  #isRunning = false
  /** One after the other takes from what the selected mailbox has to tell. */
  #selectedTurn: Promise<void> = Promise.resolve()
  /** Names of mailboxes that this client itself has just changed. */
  readonly #own = new Set<string>()
  #over = false

  private constructor(talk: Conversation, wishes: Wishes, known: Known, subscription: Disposable) {
    this.#talk = talk
    this.#wishes = wishes
    this.#known = known
    this.#subscription = subscription
  }

  /** Paused until `resume`. */
  static async start(talk: Conversation, wishes: Wishes): Promise<Notifier> {
    // Listening before reading, so that nothing falls between.
    let hear = (_mailbox: MailboxId, _change: Change) => {}
    const { account, changes } = talk.session
    const subscription = changes.subscribe(account.id, (mailbox, change) => hear(mailbox, change))
    try {
      const notifier = new Notifier(talk, wishes, await namesIn(talk.mail), subscription)
      hear = (mailbox, change) => notifier.#hear(mailbox, change)
      return notifier
    } catch (error) {
      subscription[Symbol.dispose]()
      throw error
    }
  }

  /** RFC 5465 §3.1: STATUS of every mailbox that is watched for messages, before the command's answer. */
  async tellStatus(): Promise<void> {
    for (const id of this.#known.mailboxes.keys()) if (id !== this.#talk.selected?.id) await this.#tellStatus(id)
  }

  #hear(mailbox: MailboxId, change: Change): void {
    if (this.#over) return
    if (change.kind === 'annotations') this.#hearEntries(mailbox, change.names)
    else {
      // One that is not known was made where nobody says so.
      const isNew = mailbox !== 0 && !this.#known.mailboxes.has(mailbox)
      if (change.kind === 'mailboxes' || isNew) this.#listChanged = true
      if (mailbox === this.#talk.selected?.id) this.#selectedChanged = true
      else if (mailbox !== 0) this.#changed.add(mailbox)
    }
    this.#wake()
  }

  #hearEntries(mailbox: MailboxId, names: readonly string[]): void {
    const waiting = this.#entries.get(mailbox) ?? new Set()
    this.#entries.set(mailbox, waiting)
    this.#entriesWaiting -= waiting.size
    for (const name of names) waiting.add(name)
    this.#entriesWaiting += waiting.size
  }

  get #hasNews(): boolean {
    return this.#selectedChanged || this.#listChanged || this.#changed.size > 0 || this.#entries.size > 0
  }

  #wake(): void {
    if (this.#over || this.#paused || this.#isRunning || !this.#hasNews) return
    this.#isRunning = true
    this.#running = this.#run().finally(() => {
      this.#isRunning = false
      this.#wake()
    })
  }

  async #run(): Promise<void> {
    try {
      while (!this.#paused && !this.#over && this.#hasNews) {
        await this.#tell()
        await this.#talk.wire.flush()
      }
    } catch (error) {
      this.#paused = true
      if (error instanceof ConnectionOver) return
      this.#talk.logger.error({ error: error as Error }, 'news could not be told')
    }
  }

  async #tell(): Promise<void> {
    if (this.#entriesWaiting > ENTRIES_WAITING) this.#overflow()
    if (this.#selectedChanged) {
      this.#selectedChanged = false
      const expunge = this.#idling || this.#wishes.selected.atOnce
      await this.#talk.tellNews({ expunge, uid: true })
    }
    if (this.#listChanged) await this.#tellMailboxes()
    for (const id of this.#changed) {
      if (this.#paused) return
      this.#changed.delete(id)
      if (id !== this.#talk.selected?.id) await this.#tellStatus(id)
    }
    this.#tellEntries()
  }

  /** RFC 5465 §5.8: from here on as after NOTIFY NONE. */
  #overflow(): void {
    this.#wishes = this.#wishes.none()
    this.#entries.clear()
    this.#entriesWaiting = 0
    this.#talk.untagged('OK [NOTIFICATIONOVERFLOW] There is too much to tell')
  }

  // RFC 5465 §5.1, §5.2, §5.3
  async tellSelected(telling: Telling, asked: boolean): Promise<void> {
    const turn = this.#selectedTurn.then(() => this.#tellSelected(telling, asked))
    this.#selectedTurn = turn.catch(() => {})
    return turn
  }

  async #tellSelected({ expunge }: Telling, asked: boolean): Promise<void> {
    const { selected, wire } = this.#talk
    const { messages, flags, items } = this.#wishes.selected
    if (!selected || !messages) return
    const last = selected.view.lastUid
    wire.send(await selected.catchUp({ expunge, uid: true, flags }, asked))
    if (items.length > 0) await this.#tellNew(selected, last)
  }

  /** RFC 5465 §5.2: what was asked for of new messages comes after their EXISTS. Nothing is marked as read by it. */
  async #tellNew(mailbox: SelectedMailbox, last: number): Promise<void> {
    const { items } = this.#wishes.selected
    const uids: number[] = []
    const { view } = mailbox
    for (let place = view.length - 1; place >= 0 && view.uidAt(place) > last; place--) uids.push(view.uidAt(place))
    const { wire, context } = this.#talk
    const answering = { mailbox, items, turn: new Turn(context.clock) }
    for await (const group of openedMessages(mailbox, uids.reverse(), needsOf(items))) {
      for (const opened of group) if (opened.kind === 'open') await sendResponse(wire, answering, opened, false)
      await wire.flush()
    }
  }

  async #tellStatus(id: MailboxId): Promise<void> {
    const mailbox = this.#known.mailboxes.get(id)
    if (!mailbox) return
    const events = this.#wishes.of(mailbox.name, this.#known.subscriptions.has(mailbox.name))
    if (!events.has('MessageNew')) return
    const attributes: StatusAttribute[] = ['messages', 'uidNext', 'uidValidity']
    const withFlags = events.has('FlagChange')
    if (withFlags) attributes.push('unseen')
    // RFC 5465 §5.1, §5.2, §5.3
    if (withFlags || this.#talk.enabled.has('CONDSTORE')) attributes.push('highestModseq')
    try {
      const told = await statusOf(this.#talk, mailbox, attributes)
      // Where flags do not count and changed alone.
      if (this.#told.get(id) === told) return
      this.#told.set(id, told)
      this.#talk.untagged(told)
    } catch (error) {
      if (!(error instanceof NoSuchMailbox)) throw error
      this.#told.delete(id)
    }
  }

  async #tellMailboxes(): Promise<void> {
    this.#listChanged = false
    const before = this.#known
    this.#known = await namesIn(this.#talk.mail)
    if (this.#wishes.names)
      for (const told of listChanges(before, this.#known, this.#wishes, (name) => this.#talk.name(name)))
        if (!this.#isOwn(told.name)) this.#talk.untagged(told.response)
    this.#own.clear()
  }

  /** Also its inferiors, which went with it, and its superiors, which may have been made for it. */
  #isOwn(name: string): boolean {
    for (const own of this.#own)
      if (name === own || name.startsWith(`${own}/`) || own.startsWith(`${name}/`)) return true
    return false
  }

  #tellEntries(): void {
    for (const [id, names] of this.#entries) {
      const mailbox = this.#known.mailboxes.get(id)
      const isWanted = mailbox
        ? this.#wishes.of(mailbox.name, this.#known.subscriptions.has(mailbox.name)).has('MailboxMetadataChange')
        : id === 0 && this.#wishes.server
      // RFC 5464 §4.4.2
      if (isWanted && names.size > 0)
        this.#talk.untagged(formatChangedMetadata(this.#talk.name(mailbox?.name ?? ''), [...names]))
    }
    this.#entries.clear()
    this.#entriesWaiting = 0
  }

  async pause(): Promise<void> {
    this.#paused = true
    this.#idling = false
    await this.#running
  }

  resume(idling = false): void {
    this.#paused = false
    this.#idling = idling
    this.#wake()
  }

  ownMailboxes(...names: readonly string[]): void {
    for (const name of names) this.#own.add(name)
  }

  ownEntries(mailbox: MailboxId, names: readonly string[]): void {
    const waiting = this.#entries.get(mailbox)
    for (const name of names) if (waiting?.delete(name)) this.#entriesWaiting--
  }

  [Symbol.dispose](): void {
    this.#over = true
    this.#subscription[Symbol.dispose]()
  }
}
