/**
 * The selected mailbox of one session: what the client knows (the view), what has happened since (asked from the store when
 * the store says so), and when it may be told. EXPUNGE waits until message sequence numbers may move (RFC 3501 §7.4.1).
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { AccountMail, MailboxId, MailChanges, MessageRow, Uid } from '#custody/store/mail-store.ts'
import { MailboxView } from './mailbox-view.ts'
import type { RecentMarks } from './recent.ts'
import { SummaryCache } from './summary-cache.ts'

/** What may be said while catching up. */
export interface Telling {
  /** EXPUNGE is allowed now. */
  readonly expunge: boolean
  /** FETCH responses carry the UID: the command was a UID command (RFC 3501 §6.4.8). */
  readonly uid: boolean
}

export interface SelectedOptions {
  readonly mail: AccountMail
  readonly account: AccountId
  readonly changes: MailChanges
  readonly recent: RecentMarks
  readonly mailbox: MailboxId
  readonly readOnly: boolean
}

/** RFC 3501 §2.3.2. */
const SYSTEM_FLAGS: readonly string[] = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft']

export class SelectedMailbox implements Disposable {
  readonly mail: AccountMail
  readonly id: MailboxId
  readonly readOnly: boolean
  readonly view: MailboxView
  readonly summaries: SummaryCache
  uidValidity = 0
  uidNext = 1
  /** Called when something changed; whoever waits for news sets it. */
  onChange: () => void = () => {}
  readonly #account: AccountId
  readonly #recent: RecentMarks
  readonly #subscription: Disposable
  /** Everything up to here is known. */
  #modseq = 0
  #changed = false
  /** Messages that no longer exist and whose EXPUNGE has not been sent. */
  readonly #gone = new Set<Uid>()
  /** Messages whose flags others changed, not told yet. */
  readonly #updated = new Set<Uid>()
  /** New messages not told yet, ascending. */
  #arrived: MessageRow[] = []
  /** Keywords the client has been told of: lower case, and as first spelled. */
  readonly #keywords = new Map<string, string>()

  private constructor(options: SelectedOptions, rows: readonly MessageRow[], subscription: Disposable) {
    this.mail = options.mail
    this.id = options.mailbox
    this.readOnly = options.readOnly
    this.#account = options.account
    this.#recent = options.recent
    this.#subscription = subscription
    this.view = new MailboxView(rows)
    this.summaries = new SummaryCache(options.mail, options.mailbox)
    this.#claimRecent(rows, this.#recent.mark(options.account, options.mailbox, rows))
    this.#learn(this.view.distinctFlags())
  }

  /** Throws NoSuchMailbox. */
  static async open(options: SelectedOptions): Promise<SelectedMailbox> {
    // Listening before reading, so that nothing falls between.
    let missed = false
    let changed = () => {
      missed = true
    }
    const subscription = options.changes.subscribe(options.account, (mailbox) => {
      if (mailbox === options.mailbox) changed()
    })
    try {
      const status = await options.mail.status(options.mailbox)
      const selected = new SelectedMailbox(options, await options.mail.list(options.mailbox), subscription)
      selected.uidValidity = status.uidValidity
      selected.uidNext = Math.max(status.uidNext, selected.view.lastUid + 1)
      // The list may be newer than the status: what it has too is recognised when it comes again.
      selected.#modseq = status.highestModseq
      selected.#changed = missed
      changed = () => {
        selected.#changed = true
        selected.onChange()
      }
      return selected
    } catch (error) {
      subscription[Symbol.dispose]()
      throw error
    }
  }

  get changed(): boolean {
    return this.#changed
  }

  isGone(uid: Uid): boolean {
    return this.#gone.has(uid)
  }

  #claimRecent(rows: readonly MessageRow[], mark: number): void {
    for (const row of rows) if (row.uid > mark) this.view.markRecent(row.uid)
    // RFC 3501 §6.3.2: EXAMINE takes nothing away from others.
    if (!this.readOnly && rows.length > 0) this.#recent.told(this.#account, this.id, rows[rows.length - 1]!.uid)
  }

  /**
   * Asks the store what happened, when it says that something did or when `asked`, and returns the untagged responses in
   * the order in which they must be sent. Throws NoSuchMailbox when the mailbox is gone.
   */
  async catchUp(telling: Telling, asked = false): Promise<string> {
    if (this.#changed || asked) await this.look()
    const expunges = telling.expunge ? this.#tellGone() : ''
    const flags = this.tellFlags(this.#updated, telling.uid)
    this.#updated.clear()
    return expunges + flags + this.#tellNew()
  }

  /** Learns what happened without telling yet. */
  async look(): Promise<void> {
    this.#changed = false
    const changes = await this.mail.changesSince(this.id, this.#modseq)
    this.#modseq = Math.max(this.#modseq, changes.highestModseq)
    for (const row of changes.changed) {
      const index = this.view.indexOf(row.uid)
      if (index < 0) this.#arrive(row)
      else if (this.view.update(index, row)) this.#updated.add(row.uid)
    }
    const vanished = new Set(changes.vanished)
    for (const uid of vanished) if (this.view.indexOf(uid) >= 0) this.#gone.add(uid)
    this.#arrived = this.#arrived.filter(({ uid }) => !vanished.has(uid))
  }

  #arrive(row: MessageRow): void {
    const last = this.#arrived.at(-1)?.uid ?? this.view.lastUid
    if (row.uid > last) this.#arrived.push(row)
    else {
      const known = this.#arrived.findIndex(({ uid }) => uid === row.uid)
      if (known >= 0) this.#arrived[known] = row
    }
  }

  /** FETCH responses with the flags of these messages, with a FLAGS response first when there are new keywords. */
  tellFlags(uids: Iterable<Uid>, withUid: boolean): string {
    let said = ''
    let learnt = false
    for (const uid of uids) {
      const index = this.view.indexOf(uid)
      if (index < 0 || this.#gone.has(uid)) continue
      if (this.#learn([this.view.flagsAt(index)])) learnt = true
      said += `* ${index + 1} FETCH (${withUid ? `UID ${uid} ` : ''}FLAGS ${this.flagList(index)})\r\n`
    }
    return (learnt ? this.#tellKeywords() : '') + said
  }

  #tellNew(): string {
    const rows = this.#arrived
    if (rows.length === 0) return ''
    this.#arrived = []
    const mark = this.#recent.known(this.#account, this.id) ?? 0
    for (const row of rows) this.view.append(row)
    this.#claimRecent(rows, mark)
    const learnt = this.#learn(rows)
    return `${learnt ? this.#tellKeywords() : ''}* ${this.view.length} EXISTS\r\n* ${this.view.recentCount} RECENT\r\n`
  }

  /** Whether there is a keyword that the client has not been told of. */
  #learn(sets: Iterable<{ readonly flags: readonly string[] }>): boolean {
    const before = this.#keywords.size
    for (const { flags } of sets)
      for (const flag of flags) {
        const folded = flag.toLowerCase()
        if (!flag.startsWith('\\') && !this.#keywords.has(folded)) this.#keywords.set(folded, flag)
      }
    return this.#keywords.size > before
  }

  #tellKeywords(): string {
    return `* FLAGS (${this.definedFlags().join(' ')})\r\n`
  }

  #tellGone(): string {
    const indexes = [...this.#gone].map((uid) => this.view.indexOf(uid)).filter((index) => index >= 0)
    this.#gone.clear()
    indexes.sort((a, b) => a - b)
    this.view.remove(indexes)
    // Highest first, so that no number moves before it is used.
    return indexes
      .reverse()
      .map((index) => `* ${index + 1} EXPUNGE\r\n`)
      .join('')
  }

  /** These messages were removed by this session: their EXPUNGE responses, and those still waiting. */
  expunged(uids: readonly Uid[]): string {
    for (const uid of uids) if (this.view.indexOf(uid) >= 0) this.#gone.add(uid)
    return this.#tellGone()
  }

  /** Takes over rows that this session's own change brought about. */
  update(rows: readonly MessageRow[]): void {
    for (const row of rows) {
      const index = this.view.indexOf(row.uid)
      if (index >= 0) this.view.update(index, row)
    }
  }

  flagList(index: number): string {
    const flags = this.view.flagsAt(index).flags
    return `(${(this.view.isRecent(this.view.uidAt(index)) ? [...flags, '\\Recent'] : flags).join(' ')})`
  }

  /** Of the FLAGS response: the system flags and every keyword in use. */
  definedFlags(): string[] {
    return [...SYSTEM_FLAGS, ...this.#keywords.values()]
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}
