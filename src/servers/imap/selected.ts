/**
 * The selected mailbox of one session: what the client knows (the view), what has happened since (asked from the image that all
 * sessions share when the store says so), and when it may be told. EXPUNGE waits until message sequence numbers may move (RFC 3501
 * §7.4.1). Flags, dates and sizes are not kept: the store is asked for the rows of those messages that a command is about.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type {
  AccountMail,
  FlagChange,
  FlagsChanged,
  MailboxId,
  MailChanges,
  MessageRow,
  Uid,
} from '#custody/store/mail-store.ts'
import type { Enabled } from './enabled.ts'
import type { LargeContents } from './fetch/large-contents.ts'
import type { MailboxImage, MailboxImages, Onlooker, Picture, Told } from './mailbox-image.ts'
import { MailboxView } from './mailbox-view.ts'
import { Manner } from './manner.ts'
import type { RecentMarks } from './recent.ts'
import { UidRuns } from './uid-runs.ts'

/** What may be said while catching up. */
export interface Telling {
  /** EXPUNGE is allowed now. */
  readonly expunge: boolean
  /** FETCH responses carry the UID: the command was a UID command (RFC 3501 §6.4.8). */
  readonly uid: boolean
  /** false: changed flags are not wanted (RFC 5465 §5.1). */
  readonly flags?: boolean
}

export interface SelectedOptions {
  readonly mail: AccountMail
  readonly account: AccountId
  readonly changes: MailChanges
  readonly images: MailboxImages
  readonly recent: RecentMarks
  /** What the client enabled, also later. */
  readonly enabled: ReadonlySet<Enabled>
  readonly mailbox: MailboxId
  readonly readOnly: boolean
  readonly contents: LargeContents
}

const NOTHING = () => {}

/** RFC 3501 §2.3.2. */
const SYSTEM_FLAGS: readonly string[] = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft']

export class SelectedMailbox implements Onlooker, Disposable {
  readonly mail: AccountMail
  readonly id: MailboxId
  readonly readOnly: boolean
  /** What of its messages is on the way to the client. */
  readonly contents: LargeContents
  readonly view: MailboxView
  readonly manner: Manner
  readonly uidValidity: number
  /** UIDNEXT when it was selected. */
  readonly uidNext: Uid
  /** The first message without \Seen when it was selected. */
  readonly firstUnseen: Uid | null
  /** What the last SEARCH with RETURN (SAVE) found, ascending (RFC 5182); some of them may be gone. */
  saved: readonly Uid[] = []
  /** Called when something changed; whoever waits for news sets it. */
  onChange: () => void = NOTHING
  readonly #account: AccountId
  readonly #recent: RecentMarks
  readonly #image: MailboxImage
  readonly #held: Disposable
  /** Everything up to here is known, if not told. */
  #modseq: number
  /** The store could not say what happened: it is asked again when something else does. */
  #failed = false
  /** Messages that no longer exist and whose EXPUNGE has not been sent. */
  readonly #gone = new Set<Uid>()
  /** Messages whose flags others changed, not told yet. */
  readonly #updated = new Map<Uid, MessageRow>()
  /** New messages not told yet, ascending. */
  #arrived: Uid[] = []
  /** MODSEQs above #modseq that this session's own changes brought about and the client knows. */
  readonly #own = new Map<Uid, number>()
  /** The list that was looked at last. */
  #learnt: readonly string[] = []
  /** Up to which of the keywords that were met the client has been told. */
  #keywords = 0

  private constructor(
    options: SelectedOptions,
    held: Disposable & { readonly image: MailboxImage },
    { runs, modseq, uidValidity, uidNext, firstUnseen }: Picture & { firstUnseen: Uid | null },
  ) {
    this.mail = options.mail
    this.id = options.mailbox
    this.readOnly = options.readOnly
    this.contents = options.contents
    this.manner = new Manner(options.enabled)
    this.view = new MailboxView(runs)
    this.uidValidity = uidValidity
    this.uidNext = uidNext
    this.firstUnseen = firstUnseen
    this.#account = options.account
    this.#recent = options.recent
    this.#held = held
    this.#image = held.image
    this.#modseq = modseq
    this.#keywords = this.#image.keywordsMet
    this.#image.onlookers.add(this)
  }

  /** Throws NoSuchMailbox. */
  static async open(options: SelectedOptions): Promise<SelectedMailbox> {
    const { mail, account, mailbox, recent, changes, images } = options
    // Listening before reading, so that nothing falls between.
    const held = images.acquire(account, mailbox, changes)
    try {
      const { picture, overview } = await held.image.open(mail)
      // RFC 9051 Appendix E: there is no \Recent.
      const rev2 = options.enabled.has('IMAP4rev2')
      const mark = rev2 ? picture.runs.last : await recent.mark(mail, account, mailbox, picture.runs)
      const selected = new SelectedMailbox(options, held, { ...picture, firstUnseen: overview.firstUnseen })
      selected.#claimRecent(mark)
      return selected
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
  }

  hear(): void {
    this.#failed = false
    this.onChange()
  }

  /** There is something to learn or to tell. */
  get changed(): boolean {
    return this.#image.stale || (this.#image.picture.modseq > this.#modseq && !this.#failed)
  }

  /** Everything up to this MODSEQ is known; told as well when nothing is left to tell. */
  get modseq(): number {
    return this.#modseq
  }

  /** Nothing that happened up to `modseq` is left to tell. */
  get settled(): boolean {
    return this.#gone.size + this.#updated.size + this.#arrived.length === 0
  }

  isGone(uid: Uid): boolean {
    return this.#gone.has(uid)
  }

  /** What the store has of these messages now, in their order; null for one that is gone. Keywords that the client may not know are told before. */
  async rows(uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]> {
    const rows = await this.mail.rows(this.id, uids)
    for (const row of rows) if (row) this.learn(row)
    return rows
  }

  #claimRecent(mark: Uid): void {
    const last = this.view.lastUid
    if (last > mark) this.view.markRecent(mark + 1, last)
    // RFC 3501 §6.3.2: EXAMINE takes nothing away from others.
    if (!this.readOnly && last > 0 && !this.manner.rev2) this.#recent.told(this.#account, this.id, last)
  }

  /**
   * Asks the store what happened, when it says that something did or when `asked`, and returns the untagged responses in
   * the order in which they must be sent. Throws NoSuchMailbox when the mailbox is gone.
   */
  async catchUp(telling: Telling, asked = false): Promise<string> {
    if (this.changed || asked) await this.look(asked)
    const expunges = telling.expunge ? this.#tellGone() : ''
    if (telling.flags === false) this.#updated.clear()
    const rows = [...this.#updated.values()].filter(({ uid }) => !this.#gone.has(uid))
    this.#updated.clear()
    const flags = this.tellFlags(rows, telling.uid)
    const said = expunges + flags + this.#tellNew(telling.flags !== false)
    const { modseq, runs } = this.#image.picture
    // Equal lists are kept once.
    if (modseq === this.#modseq && this.settled && runs.length === this.view.length) this.view.share(runs)
    return said
  }

  /** Learns what happened without telling yet. */
  async look(asked = true): Promise<void> {
    this.#failed = true
    this.#take(await this.#image.newsSince(this.mail, this.#modseq, asked))
    this.#failed = false
    this.#image.forget()
  }

  #take({ changed, vanished, highestModseq }: Told): void {
    const modseq = this.#modseq
    for (const row of changed) {
      const { uid } = row
      if (row.modseq <= modseq || row.modseq <= (this.#own.get(uid) ?? 0)) continue
      if (this.view.indexOf(uid) >= 0) this.#updated.set(uid, row)
      else if (uid > (this.#arrived.at(-1) ?? this.view.lastUid)) this.#arrived.push(uid)
    }
    for (const uid of this.view.uids.within([...vanished.ranges()])) {
      this.#gone.add(uid)
      this.#updated.delete(uid)
    }
    if (vanished.length > 0) this.#arrived = this.#arrived.filter((uid) => !vanished.has(uid))
    this.#reach(highestModseq)
  }

  #reach(modseq: number): void {
    if (modseq <= this.#modseq) return
    this.#modseq = modseq
    for (const [uid, known] of this.#own) if (known <= modseq) this.#own.delete(uid)
  }

  /**
   * Changes flags. The client hears of all rows in the answer from the caller; or, when `silent`, believes them to be as it wanted,
   * and hears at the end of the command of those that somebody else had changed too.
   */
  async setFlags(uids: readonly Uid[], change: FlagChange, silent = false): Promise<FlagsChanged> {
    const answer = await this.mail.setFlags(this.id, uids, change)
    const { rows, before, after } = answer
    for (const row of rows) {
      this.learn(row)
      if (silent && this.#updated.has(row.uid)) this.#updated.set(row.uid, row)
      else this.#updated.delete(row.uid)
    }
    this.#image.changed(rows, before, after)
    if (before <= this.#modseq) this.#reach(after)
    else for (const { uid, modseq } of rows) if (modseq > this.#modseq) this.#own.set(uid, modseq)
    this.#image.forget()
    return answer
  }

  /** What happened since a MODSEQ to the messages that the client knows of, and which uids have vanished since. */
  async changedSince(modseq: number): Promise<Pick<Told, 'changed' | 'vanished'>> {
    // One that we never gave out is from before a backup was restored: nothing is known to be unchanged since.
    const since = modseq > Math.max(this.#modseq, this.#image.picture.modseq) ? 0 : modseq
    const { changed, vanished } = await this.mail.changesSince(this.id, since)
    for (const row of changed) this.learn(row)
    return {
      changed: changed.filter(({ uid }) => this.view.indexOf(uid) >= 0),
      // Those that are in the view still are told of when their place may go.
      vanished: new UidRuns(vanished).minus(this.view.uids),
    }
  }

  /** FETCH responses with the flags of these messages, with a FLAGS response first when there are new keywords. */
  tellFlags(rows: Iterable<MessageRow>, withUid: boolean): string {
    let said = ''
    for (const row of rows) {
      const place = this.view.indexOf(row.uid)
      if (place < 0 || this.#gone.has(row.uid)) continue
      this.learn(row)
      said += this.manner.changed(place, row, this.flagsOf(row), withUid)
    }
    return this.tellKeywords() + said
  }

  /** FETCH responses with nothing but MODSEQ (RFC 7162 §3.1.3), for a client that knows the flags. */
  tellModseqs(rows: Iterable<MessageRow>, withUid: boolean): string {
    let said = ''
    for (const row of rows) {
      const place = this.view.indexOf(row.uid)
      if (place >= 0 && !this.#gone.has(row.uid)) said += this.manner.changed(place, row, null, withUid)
    }
    return said
  }

  #tellNew(toldFlags: boolean): string {
    const uids = this.#arrived
    if (uids.length === 0) return ''
    this.#arrived = []
    const mark = this.#recent.known(this.#account, this.id) ?? 0
    const known = this.view.lastUid
    this.view.append(uids)
    if (!this.manner.rev2) this.#claimRecent(Math.max(mark, known))
    const recent = this.manner.rev2 ? '' : `* ${this.view.recentCount} RECENT\r\n`
    // A client that takes note of it is not told again of the messages that it has appended itself (RFC 7162 §3.1.2.1).
    const reached =
      toldFlags && this.manner.modseq && this.settled ? `* OK [HIGHESTMODSEQ ${this.#modseq}] Highest\r\n` : ''
    return `${this.tellKeywords()}* ${this.view.length} EXISTS\r\n${recent}${reached}`
  }

  /** Takes note of keywords in a row that the client is about to hear of. */
  learn({ flags }: MessageRow): void {
    // Rows in large numbers share few lists.
    if (flags === this.#learnt) return
    this.#learnt = flags
    for (const flag of flags) if (!flag.startsWith('\\')) this.#image.learnKeyword(flag)
  }

  /** A FLAGS response when there are keywords that the client has not been told of. */
  tellKeywords(): string {
    if (this.#keywords === this.#image.keywordsMet) return ''
    this.#keywords = this.#image.keywordsMet
    return `* FLAGS (${this.definedFlags().join(' ')})\r\n`
  }

  #tellGone(): string {
    if (this.#gone.size === 0) return ''
    const uids = [...this.#gone].sort((a, b) => a - b)
    this.#gone.clear()
    const said = this.manner.gone(uids, this.view.uids)
    this.view.remove(uids)
    return said
  }

  /** These messages were removed by this session: the responses that say so, and those still waiting. */
  expunged(uids: readonly Uid[]): string {
    for (const uid of uids)
      if (this.view.indexOf(uid) >= 0) {
        this.#gone.add(uid)
        this.#updated.delete(uid)
      }
    return this.#tellGone()
  }

  /** The list that stands after FLAGS. */
  flagsOf({ uid, flags }: MessageRow): string {
    return `(${(this.view.isRecent(uid) ? [...flags, '\\Recent'] : flags).join(' ')})`
  }

  /** Of the FLAGS response: the system flags and every keyword in use. */
  definedFlags(): string[] {
    return [...SYSTEM_FLAGS, ...this.#image.keywords.values()]
  }

  [Symbol.dispose](): void {
    this.#image.onlookers.delete(this)
    this.#image.forget()
    this.#held[Symbol.dispose]()
  }
}
