/**
 * Puts what a source hands out into an account's store: many appends at once, so that they share seals and syncs, but in the order of
 * the source, so that UIDs rise as messages stood there.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import {
  type AccountMail,
  MailboxExists,
  type MailboxId,
  type MailboxName,
  MailboxRefused,
  type MailStore,
  NoSuchMailbox,
  OverQuota,
} from '#custody/store/mail-store.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import type { Clock } from '#lib/clock.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { type MailSource, type SourceEntry, SourceFailed, type SourceMailbox, type SourceMessage } from './import.ts'
import { keptFlags } from './kept-flags.ts'
import type { Digest, Ledger } from './ledger.ts'
import { targetName } from './mailbox-names.ts'
import { Window } from './window.ts'

export interface ImportOptions {
  readonly store: MailStore
  readonly account: AccountId
  readonly ledger: Ledger
  /** Everything goes into this mailbox and below it. */
  readonly to: MailboxName | null
  /** Reads and counts; stores nothing, makes no mailbox. */
  readonly dryRun: boolean
  readonly clock: Clock
  /** Ends it in good order: what is under way is finished. */
  readonly signal: AbortSignal
  /** Told after every message. */
  readonly progress: (state: ImportState) => void
  readonly failed: (failure: ImportFailure) => void
}

export interface ImportFailure {
  readonly mailbox: string
  /** null: the whole mailbox. */
  readonly message: string | null
  readonly why: string
}

export interface ImportState {
  readonly imported: number
  readonly duplicates: number
  readonly failed: number
  /** Of what was imported. */
  readonly octets: number
  readonly mailbox: MailboxName
  /** Messages of it that were looked at, and how many there are when that is known. */
  readonly looked: number
  readonly count: number | null
}

export type ImportEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'over-quota' }
  | { readonly kind: 'disk-full' }
  | { readonly kind: 'source-failed'; readonly why: string }

export interface Imported extends Pick<ImportState, 'imported' | 'duplicates' | 'failed' | 'octets'> {
  readonly end: ImportEnd
}

/** A larger content is a file of its own in the store, which takes longer than a row: it would be overtaken. */
const OVERTAKEN_OCTETS = 100_000

interface Target {
  readonly name: MailboxName
  /** null in a trial: it would have to be made. */
  readonly id: MailboxId | null
  readonly isView: boolean
}

class Importer {
  readonly #options: ImportOptions
  readonly #mail: AccountMail
  readonly #window = new Window()
  /** Under way; in a trial, all that would have come in. */
  readonly #taken = new Set<string>()
  readonly #state = {
    imported: 0,
    duplicates: 0,
    failed: 0,
    octets: 0,
    mailbox: '',
    looked: 0,
    count: null as number | null,
  }
  #end: ImportEnd | null = null
  #broken: { readonly error: unknown } | null = null

  constructor(options: ImportOptions, mail: AccountMail) {
    this.#options = options
    this.#mail = mail
  }

  async run(source: MailSource): Promise<Imported> {
    try {
      for await (const mailbox of source.mailboxes()) {
        if (this.#isOver()) break
        if ('kind' in mailbox) this.#fail(mailbox.name, null, mailbox.why)
        else await this.#take(mailbox)
        if (this.#isOver()) break
      }
    } catch (error) {
      if (this.#options.signal.aborted) this.#end ??= { kind: 'interrupted' }
      else if (error instanceof SourceFailed) this.#end ??= { kind: 'source-failed', why: error.message }
      else this.#broken ??= { error }
    }
    await this.#window.empty()
    if (this.#broken) throw this.#broken.error
    const { imported, duplicates, failed, octets } = this.#state
    const end = this.#end ?? (this.#options.signal.aborted ? { kind: 'interrupted' } : { kind: 'complete' })
    return { imported, duplicates, failed, octets, end }
  }

  #isOver(): boolean {
    return this.#end !== null || this.#broken !== null || this.#options.signal.aborted
  }

  async #take(mailbox: SourceMailbox): Promise<void> {
    const target = await this.#target(mailbox)
    if (!target) return
    Object.assign(this.#state, { mailbox: target.name, looked: 0, count: mailbox.count })
    const { ledger } = this.#options
    const known = (origins: readonly string[]) =>
      Promise.all(origins.map((origin) => this.#isIn(ledger.originDigest(origin), target)))
    for await (const entry of mailbox.entries(known)) {
      this.#state.looked++
      await this.#enter(entry, target)
      this.#options.progress(this.#state)
      if (this.#isOver()) break
    }
  }

  async #enter(entry: SourceEntry, target: Target): Promise<void> {
    if (entry.kind === 'known') this.#state.duplicates++
    else if (entry.kind === 'unreadable') this.#fail(target.name, entry.name, entry.why)
    else if (entry.content.byteLength === 0) this.#fail(target.name, entry.name, 'it is empty')
    else await this.#store(entry, target)
  }

  async #store(message: SourceMessage, target: Target): Promise<void> {
    const { ledger, dryRun } = this.#options
    const digest = ledger.contentDigest(message.content)
    const digests = message.origin === undefined ? [digest] : [digest, ledger.originDigest(message.origin)]
    const taken = `${target.isView ? '' : target.name}\0${digest.toString('latin1')}`
    if (this.#taken.has(taken) || (await this.#isIn(digest, target))) {
      this.#state.duplicates++
      // Otherwise the next run would fetch it again to find out the same.
      if (!dryRun && digests.length > 1) await ledger.add(digests, target.id!)
      return
    }
    this.#taken.add(taken)
    if (dryRun) {
      this.#count(message)
      return
    }
    await this.#window.room(message.content.byteLength)
    const isLarge = message.content.byteLength > OVERTAKEN_OCTETS
    if (isLarge) await this.#window.empty()
    if (this.#isOver()) return
    const appending = this.#append(message, target, digests).finally(() => this.#taken.delete(taken))
    this.#window.add(appending, message.content.byteLength)
    if (isLarge) await this.#window.empty()
  }

  async #append(message: SourceMessage, target: Target, digests: readonly Digest[]): Promise<void> {
    const { clock, ledger } = this.#options
    const { content } = message
    try {
      await this.#mail.append(target.id!, {
        content,
        summary: encodeSummary(summarize(content)),
        internalDate: plausible(message.internalDate) ?? clock.now(),
        flags: keptFlags(message.flags),
        deliveryKey: `import.${target.id}.${digests[0]!.toString('hex')}`,
      })
      this.#count(message)
      await ledger.add(digests, target.id!)
    } catch (error) {
      if (error instanceof OverQuota) this.#end ??= { kind: 'over-quota' }
      else if (isDiskFull(error)) this.#end ??= { kind: 'disk-full' }
      else if (error instanceof NoSuchMailbox)
        this.#fail(target.name, message.name, 'the mailbox was deleted meanwhile')
      else if (error instanceof MailboxRefused) this.#fail(target.name, message.name, error.message)
      else this.#broken ??= { error }
    }
  }

  #count({ content }: SourceMessage): void {
    this.#state.imported++
    this.#state.octets += content.byteLength
  }

  #fail(mailbox: string, message: string | null, why: string): void {
    this.#state.failed++
    this.#options.failed({ mailbox, message, why })
  }

  /** What a view shows is wanted only when no mailbox has it. */
  async #isIn(digest: Digest, { id, isView }: Target): Promise<boolean> {
    if (isView) return this.#options.ledger.has(digest, null)
    return id !== null && this.#options.ledger.has(digest, id)
  }

  async #target(mailbox: SourceMailbox): Promise<Target | null> {
    const { to, dryRun } = this.#options
    const name = targetName(mailbox, to)
    const { isView } = mailbox
    const found = await this.#find(name)
    if (found !== null || dryRun) return { name, id: found, isView }
    try {
      const { id } = await this.#mail.createMailbox(name)
      await this.#mail.subscribe(name, true)
      return { name, id, isView }
    } catch (error) {
      if (error instanceof MailboxExists) return { name, id: await this.#find(name), isView }
      if (!(error instanceof MailboxRefused)) throw error
      this.#fail(mailbox.levels.join('/'), null, error.message)
      return null
    }
  }

  async #find(name: MailboxName): Promise<MailboxId | null> {
    return (await this.#mail.mailboxes()).find((one) => one.name === name)?.id ?? null
  }
}

/** INTERNALDATE has four digits for the year (RFC 3501 §9 date-year). */
function plausible(date: number | null): number | null {
  return date !== null && date >= 0 && date < 253_402_300_800_000 ? date : null
}

/**
 * Imports everything. Throws what breaks on our side; everything that the source does is in the answer. The source is not disposed.
 */
export async function importMail(source: MailSource, options: ImportOptions): Promise<Imported> {
  await using mail = await options.store.open(options.account, null)
  return new Importer(options, mail).run(source)
}
