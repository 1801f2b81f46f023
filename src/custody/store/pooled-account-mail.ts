import type { TextQuery } from '#formats/message/message-text.ts'
import type { Protection } from '#formats/pgp-mime/protection.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { AnnotationEntry } from './annotations.ts'
import type {
  AccountMail,
  Appended,
  Copied,
  Coverage,
  FlagChange,
  FlagsChanged,
  Indexing,
  Mailbox,
  MailboxChanges,
  MailboxId,
  MailboxName,
  MailboxOverview,
  MailboxStatus,
  MessageFacts,
  MessageRow,
  NewMessage,
  Quota,
  ReadingKeys,
  ReadMessage,
  Relocated,
  ResealingState,
  Sealing,
  SpecialUse,
  TextMatches,
  Uid,
  Wanted,
} from './mail-store.ts'
import { type PackedMessages, unpackMessages } from './packed-messages.ts'
import { type RowColumns, unpackFoundRows, unpackRows } from './row-columns.ts'
import type { StoreThread } from './store-thread.ts'
import { type MailMethod, ownCopy } from './store-wire.ts'

interface Handle {
  readonly generation: number
  readonly handle: number
}

/** An account's mail in a worker thread. It outlives the thread: after a restart the next call opens it again. */
export class PooledAccountMail implements AccountMail {
  readonly #thread: StoreThread
  readonly #account: AccountId
  readonly #keys: ReadingKeys | null
  readonly #sealing: () => Promise<Sealing>
  #opened: Promise<Handle> | null = null
  /** Of the thread that it is opened in; null while it is being opened, which may start the thread. */
  #generation: number | null = null

  constructor(thread: StoreThread, account: AccountId, keys: ReadingKeys | null, sealing: () => Promise<Sealing>) {
    this.#thread = thread
    this.#account = account
    this.#keys = keys
    this.#sealing = sealing
  }

  async open(): Promise<this> {
    await this.#handle()
    return this
  }

  #handle(): Promise<Handle> {
    if (!this.#opened || (this.#generation !== null && this.#generation !== this.#thread.generation)) {
      this.#generation = null
      const opening = this.#thread.open(this.#account, this.#keys).then((handle) => {
        const { generation } = this.#thread
        this.#generation = generation
        return { generation, handle }
      })
      opening.catch(() => {
        if (this.#opened === opening) this.#opened = null
      })
      this.#opened = opening
    }
    return this.#opened
  }

  async #call<M extends MailMethod>(method: M, ...args: Parameters<AccountMail[M]>): Promise<unknown> {
    const { handle } = await this.#handle()
    return this.#thread.call({ on: 'mail', method, handle, args, sealing: null })
  }

  async append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    const { handle } = await this.#handle()
    const sealing = await this.#sealing()
    const { packed, transfer } = packMessage(message)
    const args = [mailbox, packed]
    return (await this.#thread.call({ on: 'mail', method: 'append', handle, args, sealing }, transfer)) as Appended
  }

  async appendAll(mailbox: MailboxId, messages: readonly NewMessage[]): Promise<readonly Appended[]> {
    const { handle } = await this.#handle()
    const sealing = await this.#sealing()
    const all = messages.map(packMessage)
    const args = [mailbox, all.map(({ packed }) => packed)]
    const transfer = all.flatMap((one) => one.transfer)
    const call = { on: 'mail', method: 'appendAll', handle, args, sealing } as const
    return (await this.#thread.call(call, transfer)) as readonly Appended[]
  }

  async annotations(mailbox: MailboxId | null): Promise<ReadonlyMap<string, Bytes>> {
    return (await this.#call('annotations', mailbox)) as ReadonlyMap<string, Bytes>
  }

  async annotate(mailbox: MailboxId | null, entries: readonly AnnotationEntry[]): Promise<void> {
    const copies = entries.map(([name, value]): AnnotationEntry => [name, value && ownCopy(value, [])])
    await this.#call('annotate', mailbox, copies)
  }

  async list(mailbox: MailboxId): Promise<readonly MessageRow[]> {
    return unpackRows((await this.#call('list', mailbox)) as RowColumns)
  }

  async overview(mailbox: MailboxId, known?: number): Promise<MailboxOverview> {
    return (await this.#call('overview', mailbox, known)) as MailboxOverview
  }

  async rows(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]> {
    return unpackFoundRows((await this.#call('rows', mailbox, uids)) as RowColumns)
  }

  async changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges> {
    const changes = (await this.#call('changesSince', mailbox, modseq)) as MailboxChanges & { changed: RowColumns }
    return { ...changes, changed: unpackRows(changes.changed) }
  }

  async setFlags(mailbox: MailboxId, uids: readonly Uid[], change: FlagChange): Promise<FlagsChanged> {
    const answer = (await this.#call('setFlags', mailbox, uids, change)) as FlagsChanged & { rows: RowColumns }
    return { ...answer, rows: unpackRows(answer.rows) }
  }

  async mailboxes(): Promise<readonly Mailbox[]> {
    return (await this.#call('mailboxes')) as readonly Mailbox[]
  }

  async mailbox(which: MailboxName | MailboxId): Promise<Mailbox | null> {
    return (await this.#call('mailbox', which)) as Mailbox | null
  }

  async subscriptions(): Promise<readonly MailboxName[]> {
    return (await this.#call('subscriptions')) as readonly MailboxName[]
  }

  async subscribe(name: MailboxName, subscribed: boolean): Promise<void> {
    await this.#call('subscribe', name, subscribed)
  }

  async createMailbox(name: MailboxName, specialUse?: SpecialUse): Promise<Mailbox> {
    return (await this.#call('createMailbox', name, specialUse)) as Mailbox
  }

  async deleteMailbox(name: MailboxName): Promise<void> {
    await this.#call('deleteMailbox', name)
  }

  async renameMailbox(from: MailboxName, to: MailboxName): Promise<Relocated | null> {
    return (await this.#call('renameMailbox', from, to)) as Relocated | null
  }

  async status(mailbox: MailboxId): Promise<MailboxStatus> {
    return (await this.#call('status', mailbox)) as MailboxStatus
  }

  async facts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageFacts | null)[]> {
    return (await this.#call('facts', mailbox, uids)) as readonly (MessageFacts | null)[]
  }

  async summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]> {
    return (await this.#call('summaries', mailbox, uids)) as readonly (Bytes | null)[]
  }

  async read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null> {
    return (await this.#call('read', mailbox, uid)) as Bytes | null
  }

  async messages(mailbox: MailboxId, uids: readonly Uid[], wanted: Wanted): Promise<readonly (ReadMessage | null)[]> {
    return unpackMessages((await this.#call('messages', mailbox, uids, wanted)) as PackedMessages)
  }

  async protections(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Protection | null)[]> {
    return (await this.#call('protections', mailbox, uids)) as readonly (Protection | null)[]
  }

  async sealedAmong(messageIds: readonly string[]): Promise<readonly string[]> {
    return (await this.#call('sealedAmong', messageIds)) as readonly string[]
  }

  async textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]> {
    return (await this.#call('textMatches', mailbox, queries)) as readonly TextMatches[]
  }

  async verifyText(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]> {
    return (await this.#call('verifyText', mailbox, uids, query)) as readonly Uid[]
  }

  async indexing(): Promise<Indexing> {
    return (await this.#call('indexing')) as Indexing
  }

  async copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return (await this.#call('copy', from, uids, to)) as Copied
  }

  async move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied> {
    return (await this.#call('move', from, uids, to)) as Copied
  }

  async expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]> {
    return (await this.#call('expunge', mailbox, uids)) as readonly Uid[]
  }

  async remove(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    return (await this.#call('remove', mailbox, uids)) as readonly Uid[]
  }

  async quota(): Promise<Quota> {
    return (await this.#call('quota')) as Quota
  }

  async coverage(): Promise<Coverage> {
    const sealing = await this.#sealing()
    const { handle } = await this.#handle()
    return (await this.#thread.call({ on: 'mail', method: 'coverage', handle, args: [], sealing })) as Coverage
  }

  async resealing(next?: ResealingState): Promise<ResealingState> {
    return (await this.#call('resealing', next)) as ResealingState
  }

  async reseal(limit: number): Promise<Coverage> {
    const sealing = await this.#sealing()
    const { handle } = await this.#handle()
    return (await this.#thread.call({ on: 'mail', method: 'reseal', handle, args: [limit], sealing })) as Coverage
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.#opened?.catch(() => null)
    this.#opened = null
    // With its thread, the handle is gone already.
    if (opened && opened.generation === this.#thread.generation) await this.#thread.close(opened.handle).catch(() => {})
  }
}

/** The octets are copied once, and the copies handed over. */
export function packMessage(message: NewMessage): { packed: NewMessage; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = []
  const content = ownCopy(message.content, transfer)
  return { packed: { ...message, content, summary: ownCopy(message.summary, transfer) }, transfer }
}
