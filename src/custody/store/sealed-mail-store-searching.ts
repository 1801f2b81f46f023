/** The search index of one account at work: what it answers for mailboxes, and how it takes in messages in the background. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fold } from '#formats/message/fold.ts'
import type { MessageText, TextQuery } from '#formats/message/message-text.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { OPEN, SearchIndex, YES } from '../search/search-index.ts'
import type { ContentId, ContentRun, MailboxContents, PlacedContent, Searchable } from './indexed-mail-store.ts'
import type { AccountMail, MailboxId, ReadMessage, TextMatches } from './mail-store.ts'
import { messageText } from './read-search.ts'

/** Messages read together, and their octets: all of them are in memory. */
const GROUP = 64
const GROUP_OCTETS = 3_000_000
/** Octets of text parts, and header fields, of a message that is indexed; a larger one is looked at each time. */
const TEXT_LIMIT = 2_000_000
const FIELDS_LIMIT = 20_000
/** What is written down already need not stay in memory while an index is made. */
const HELD_OCTETS = 100_000_000
/** Mailboxes whose messages are remembered. */
const MAILBOXES_KEPT = 16
/** When another process makes the index: until it is looked whether that left something to do. */
const TAKEN_MS = 30_000
const ALL_LIMIT = 5000
/** What is deleted stays in the index until there is much of it. */
const DEAD_SPARED = 64
const DEAD_SHARE = 1.25
const EVERYTHING: ContentRun = { first: 1, last: Number.MAX_SAFE_INTEGER }

/** A session with keys, as the index of its account uses it. */
export interface SearchingSession {
  readonly account: AccountId
  readonly searchable: Searchable
  readonly mail: Pick<AccountMail, 'messages'>
  /** How many contents there are. */
  contents(): Promise<number>
  /** Resolves when nobody is reading mail, or after a while. */
  quiet(): Promise<void>
  /** Derived from the index keys, newest first; the caller's to wipe. */
  keys(): Promise<readonly Bytes[]>
}

interface Around {
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds for which new messages are gathered. */
  readonly gatherMs: number
}

export async function openAccountSearch(
  session: SearchingSession,
  sessions: ReadonlySet<SearchingSession>,
  around: Around,
): Promise<AccountSearch> {
  const { account, searchable } = session
  const keys = await session.keys()
  const index = await SearchIndex.open({ account, keys, files: searchable.files, logger: around.logger })
  return new AccountSearch(index, sessions, around)
}

export class AccountSearch implements AsyncDisposable {
  readonly #index: SearchIndex
  readonly #sessions: ReadonlySet<SearchingSession>
  readonly #around: Around
  readonly #mailboxes = new Map<MailboxId, MailboxContents>()
  #running: Promise<void> | null = null
  #step: Promise<unknown> = Promise.resolve()
  #again = false
  #swept = false
  #later: Disposable | null = null
  #closed = false
  /** When somebody searched last; 0: nobody has. */
  lastUsed = 0

  constructor(index: SearchIndex, sessions: ReadonlySet<SearchingSession>, around: Around) {
    this.#index = index
    this.#sessions = sessions
    this.#around = around
  }

  /** Octets in memory. */
  get weight(): number {
    return this.#index.weight
  }

  /** Messages that are indexed. */
  get documents(): number {
    return this.#index.documents
  }

  release(): Promise<void> {
    return this.#index.release()
  }

  async textMatches(
    searchable: Searchable,
    mailbox: MailboxId,
    queries: readonly TextQuery[],
  ): Promise<readonly TextMatches[]> {
    this.lastUsed = this.#around.clock.now()
    const { uids, contents } = await this.#contentsOf(searchable, mailbox)
    const folded = queries.map((query) => ({ ...query, folded: fold(query.text) }))
    const states = await this.#index.match(contents, folded)
    return states.map((known) => ({ yes: uidsThatAre(YES, known, uids), open: uidsThatAre(OPEN, known, uids) }))
  }

  async #contentsOf(searchable: Searchable, mailbox: MailboxId): Promise<MailboxContents> {
    const known = this.#mailboxes.get(mailbox)
    const found = (await searchable.mailbox(mailbox, known?.revision ?? null)) ?? known!
    this.#mailboxes.delete(mailbox)
    this.#mailboxes.set(mailbox, found)
    if (this.#mailboxes.size > MAILBOXES_KEPT) this.#mailboxes.delete(this.#mailboxes.keys().next().value!)
    return found
  }

  /** Takes in what is not in the index yet, the newest first, as long as there are sessions. */
  wake(): void {
    this.#later?.[Symbol.dispose]()
    this.#later = null
    this.#again = true
    if (this.#closed) return
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
  }

  /** The same, soon: others may follow. */
  wakeLater(): void {
    this.#wakeAfter(this.#around.gatherMs)
  }

  #wakeAfter(ms: number): void {
    if (!this.#closed) this.#later ??= this.#around.clock.after(ms, () => this.wake())
  }

  /** Resolves when no message is being read. */
  async settled(): Promise<void> {
    await this.#step
  }

  get #session(): SearchingSession | null {
    return this.#closed ? null : (this.#sessions.values().next().value ?? null)
  }

  async #run(): Promise<void> {
    const session = this.#session
    if (!session) return
    try {
      while (this.#again) {
        this.#again = false
        if (await this.#hasWork(session)) {
          using claim = await session.searchable.files.claim()
          if (claim) await this.#work()
          else this.#wakeAfter(TAKEN_MS)
        }
        // An index that is only kept up to date needs no memory.
        if (this.lastUsed === 0) await this.#index.release()
      }
    } catch (error) {
      const { account } = session
      this.#around.logger.warn({ account, error: error as Error }, 'stopped indexing texts for now')
    }
  }

  async #hasWork({ searchable }: SearchingSession): Promise<boolean> {
    return this.#index.isOld || (await this.#gap(searchable)) !== null
  }

  async #gap(searchable: Searchable): Promise<ContentRun | null> {
    const [newest] = await searchable.placed(EVERYTHING, 1)
    return newest ? this.#index.covered.gapBelow(newest.content) : null
  }

  async #work(): Promise<void> {
    await this.#index.refresh()
    if (!this.#swept) await this.#index.sweep()
    this.#swept = true
    let isNew = false
    for (;;) {
      await this.#session?.quiet()
      if (!(await this.#stepped())) break
      isNew = true
    }
    await this.#index.commit()
    await this.#tidy(isNew)
  }

  /** false: there is nothing to do, or nobody with keys. */
  #stepped(): Promise<boolean> {
    const session = this.#session
    if (!session) return Promise.resolve(false)
    const step = this.#takeSome(session)
    this.#step = step.catch(() => {})
    return step
  }

  async #takeSome(session: SearchingSession): Promise<boolean> {
    const { searchable } = session
    const gap = await this.#gap(searchable)
    if (!gap) return false
    const found = await searchable.placed(gap, GROUP)
    const group = within(found, GROUP_OCTETS)
    await this.#takeIn(session, group)
    await this.#index.flush()
    const isRest = found.length < GROUP && group.length === found.length
    await this.#index.cover(isRest ? gap.first : group.at(-1)!.content, gap.last)
    if (this.#index.weight > HELD_OCTETS) await this.#index.release()
    return true
  }

  async #takeIn(session: SearchingSession, group: readonly PlacedContent[]): Promise<void> {
    const wanted = new Map<ContentId, PlacedContent>()
    for (const one of group) if (!this.#index.has(one.content)) wanted.set(one.content, one)
    for (const [mailbox, placed] of Map.groupBy(wanted.values(), (one) => one.mailbox)) {
      const uids = placed.map(({ uid }) => uid)
      const read = await session.mail.messages(mailbox, uids, { content: true })
      const contents = new Set(placed.map(({ content }) => content))
      const [first, last] = [Math.min(...contents), Math.max(...contents)]
      // One that was opened or re-sealed meanwhile has another content, which comes by later.
      const still = new Set((await session.searchable.placed({ first, last }, ALL_LIMIT)).map(placeName))
      for (const [index, one] of placed.entries())
        if (read[index] && still.has(placeName(one))) await this.#take(one.content, read[index])
    }
  }

  async #take(id: ContentId, { content }: ReadMessage): Promise<void> {
    if (!content) {
      this.#index.leaveOut(id, 'unreadable')
      return
    }
    const text = messageText(content)
    if (isLarge(text)) this.#index.leaveOut(id, 'large')
    else await this.#index.add(id, { fields: text.fields()!, bodies: text.bodies()! })
    await nextTurn()
  }

  /** Only after something new, or a new key: who reads and goes costs nothing. */
  async #tidy(isNew: boolean): Promise<void> {
    const session = this.#session
    if (!session || !(isNew || this.#index.isOld)) return
    const indexed = this.#index.documents
    const mayHaveMany = indexed > DEAD_SPARED && indexed > (await session.contents()) * DEAD_SHARE
    await this.#index.tidy(mayHaveMany ? await everyContent(session.searchable) : null, () => this.#session === null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#again = false
    this.#later?.[Symbol.dispose]()
    await this.#running
    await this.#index[Symbol.asyncDispose]()
  }
}

/** Memory of its own, no larger than what it holds. */
function uidsThatAre(wanted: number, known: Uint8Array, uids: Uint32Array): Uint32Array<ArrayBuffer> {
  let count = 0
  for (const one of known) if (one === wanted) count++
  const found = new Uint32Array(count)
  for (let index = 0, at = 0; at < count; index++) if (known[index] === wanted) found[at++] = uids[index]!
  return found
}

function within(found: readonly PlacedContent[], octets: number): readonly PlacedContent[] {
  let sum = 0
  const after = found.findIndex(({ size }) => {
    sum += size
    return sum > octets
  })
  return after < 0 ? found : found.slice(0, Math.max(1, after))
}

async function everyContent(searchable: Searchable): Promise<ReadonlySet<ContentId>> {
  const contents = new Set<ContentId>()
  for (let last = EVERYTHING.last; last >= 1; ) {
    const page = await searchable.placed({ first: 1, last }, ALL_LIMIT)
    for (const { content } of page) contents.add(content)
    last = page.length < ALL_LIMIT ? 0 : page.at(-1)!.content - 1
  }
  return contents
}

function placeName({ content, mailbox, uid }: PlacedContent): string {
  return `${content} ${mailbox} ${uid}`
}

/** It would keep others waiting too long. */
function isLarge(text: MessageText): boolean {
  const { root } = text.summary
  let octets = 0
  let parts = 0
  const open = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    parts++
    octets += part.header.end - part.header.start
    if (part.type === 'text') octets += part.body.end - part.body.start
    open.push(...part.children)
  }
  return octets > TEXT_LIMIT || parts > FIELDS_LIMIT || (text.fields()?.length ?? 0) > FIELDS_LIMIT
}
