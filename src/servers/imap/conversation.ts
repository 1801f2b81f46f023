/**
 * The state of one connection, as commands see it (RFC 3501 §3): who is logged in, what is selected, and how to answer.
 */
import { type AccountMail, type Mailbox, NoSuchMailbox } from '#custody/store/mail-store.ts'
import { formatMailbox } from '#formats/imap/writer.ts'
import type { Logger } from '#lib/log.ts'
import type { Admission } from '#servers/line/admission.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import type { Wire } from '#servers/line/wire.ts'
import type { UserSession } from '#session/session.ts'
import { capabilities } from './capabilities.ts'
import type { ServerContext } from './context.ts'
import type { Enabled } from './enabled.ts'
import { LargeContents } from './fetch/large-contents.ts'
import { QueuedFetches } from './fetch/queued-fetches.ts'
import { bad, no } from './imap-error.ts'
import type { Input } from './input.ts'
import type { NewsTeller } from './notify/news-teller.ts'
import { SelectedMailbox, type Telling } from './selected.ts'

export interface User {
  readonly session: UserSession
  readonly mail: AccountMail
}

/** Figures for the line that is logged at the end. */
export interface Tally {
  commands: number
  fetched: number
  appended: number
  expunged: number
}

export class Conversation {
  readonly context: ServerContext
  readonly wire: Wire
  readonly input: Input
  readonly admission: Admission
  readonly ip: string
  logger: Logger
  /** TLS is on. */
  secure = false
  user: User | null = null
  selected: SelectedMailbox | null = null
  /** The client said what it wants to be told (RFC 5465). */
  notifier: NewsTeller | null = null
  /** What the client asked for with ENABLE, or by using it (RFC 7162 §3.1). */
  readonly enabled = new Set<Enabled>()
  /** RFC 2971, as far as the client told. */
  client: string | null = null
  failedLogins = 0
  /** Of the command that is being done. */
  tag = ''
  /** TLS begins once the answer is out. */
  upgrading = false
  /** Compression begins once the answer is out. */
  compressing = false
  /** Say BYE with these words once the answer is out. */
  leaving: string | null = null
  #queuedFetches: QueuedFetches | null = null
  readonly tally: Tally = { commands: 0, fetched: 0, appended: 0, expunged: 0 }

  constructor(context: ServerContext, wire: Wire, input: Input, admission: Admission, ip: string) {
    this.context = context
    this.wire = wire
    this.input = input
    this.admission = admission
    this.ip = ip
    this.logger = context.logger.with({ protocol: 'imap', ip })
  }

  get session(): UserSession {
    if (!this.user) throw bad('Log in first')
    return this.user.session
  }

  get mail(): AccountMail {
    if (!this.user) throw bad('Log in first')
    return this.user.mail
  }

  /** The selected mailbox, for commands that the state check lets through only with one. */
  get mailbox(): SelectedMailbox {
    if (!this.selected) throw bad('Select a mailbox first')
    return this.selected
  }

  /** The selected mailbox for a command that changes it. */
  get writable(): SelectedMailbox {
    if (this.mailbox.readOnly) throw no('CANNOT', 'The mailbox is selected read-only')
    return this.mailbox
  }

  /** Names of mailboxes travel in UTF-8 (RFC 9051 §5.1, RFC 6855 §3), otherwise in modified UTF-7. */
  get utf8(): boolean {
    return this.enabled.has('IMAP4rev2') || this.enabled.has('UTF8=ACCEPT')
  }

  /** A mailbox name as it is written to this client. */
  name(mailbox: string): string {
    return formatMailbox(mailbox, this.utf8)
  }

  /** What works now. */
  get capabilities(): string {
    const appendLimit = this.context.limits.messageSize
    const scram = this.secure && !this.user && this.context.desk.offersScram(this.ip)
    return capabilities({ secure: this.secure, loggedIn: this.user !== null, scram, appendLimit })
  }

  untagged(text: string): void {
    this.wire.send(`* ${text}\r\n`)
  }

  find(name: string): Promise<Mailbox | null> {
    return this.mail.mailbox(name)
  }

  /** `code` is what a missing mailbox is answered with: TRYCREATE where the client may make it and try again (RFC 3501 §7.1). */
  async existing(name: string, code: 'NONEXISTENT' | 'TRYCREATE' = 'NONEXISTENT'): Promise<Mailbox> {
    const mailbox = await this.find(name)
    if (!mailbox) throw no(code, 'There is no such mailbox')
    return mailbox
  }

  /** Throws NoSuchMailbox. */
  async select(mailbox: Mailbox, readOnly: boolean): Promise<SelectedMailbox> {
    const { account, changes } = this.session
    const { images, recent, fetching, limits } = this.context
    this.selected = await SelectedMailbox.open({
      mail: this.mail,
      account: account.id,
      changes,
      images,
      recent,
      enabled: this.enabled,
      mailbox: mailbox.id,
      readOnly,
      contents: new LargeContents(fetching, account.id, limits.messageSize),
    })
    return this.selected
  }

  /** The client has used something of CONDSTORE: from now on it hears of every MODSEQ (RFC 7162 §3.1). */
  enableCondstore(): void {
    if (this.enabled.has('CONDSTORE')) return
    this.enabled.add('CONDSTORE')
    if (this.selected) this.untagged(`OK [HIGHESTMODSEQ ${this.selected.modseq}] Highest`)
  }

  deselect(): void {
    this.forgetContent()
    this.selected?.[Symbol.dispose]()
    this.selected = null
  }

  get queuedFetches(): QueuedFetches {
    this.#queuedFetches ??= new QueuedFetches()
    return this.#queuedFetches
  }

  /** Lets go of the message that was read piece by piece, and of those that were read ahead. */
  forgetContent(): void {
    this.#queuedFetches?.forget()
    if (this.selected) this.context.kept.drop(this.selected)
  }

  /** Tells what has happened in the selected mailbox, as far as it may be told now. */
  async tellNews(telling: Telling, asked = false): Promise<void> {
    if (!this.selected) return
    try {
      if (this.notifier) await this.notifier.tellSelected(telling, asked)
      else this.wire.send(await this.selected.catchUp(telling, asked))
    } catch (error) {
      if (error instanceof ConnectionOver) throw error
      // RFC 2180 §3.3: there is no way to say that the selected mailbox is no more.
      if (error instanceof NoSuchMailbox) this.leave('The selected mailbox was deleted')
      // The command itself was done; the news come with the next one.
      else this.logger.error({ error: error as Error }, 'mailbox changes could not be read')
    }
  }

  leaveAfter(text: string): void {
    this.leaving = text
  }

  /** Says BYE and closes (RFC 3501 §7.1.5). */
  leave(text: string): void {
    if (this.wire.over) return
    this.untagged(`BYE ${text}`)
    this.wire.finish()
  }
}
