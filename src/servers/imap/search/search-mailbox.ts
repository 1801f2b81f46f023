/**
 * Searches a mailbox a page of messages at a time: first by the numbers that the session has, then by columns of the store, by the
 * index of texts, by summaries, and by opening messages, always only those that are still undecided.
 */
import { setImmediate } from 'node:timers/promises'
import type { TextMatches, Uid } from '#custody/store/mail-store.ts'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { fold } from '#formats/message/fold.ts'
import { MessageText } from '#formats/message/message-text.ts'
import { ascendingMembership, factAnswer, numberAnswer, rowAnswer, summaryAnswer } from './leaf-answers.ts'
import type { SearchGround } from './search-ground.ts'
import { type Leaf, SearchPlan, type TextLeaf } from './search-plan.ts'
import { readSummaries } from './summaries.ts'
import { NO, OPEN, type Truths, YES } from './truths.ts'

/** Pages grow, so that who wants the first match need not wait for many. */
const FIRST_PAGE = 256
const LARGEST_PAGE = 8_192
/** Messages times keys, before others get their turn. */
const AT_ONCE = 500_000
/** Messages opened before others get their turn. */
const OPENED_AT_ONCE = 64

/**
 * Places (from 0) of the messages that match, ascending in each page; with `backwards` the pages come from the end. Whoever has enough
 * stops asking. A message that is gone, or whose summary cannot be read when that is asked, matches neither a key nor its contrary; one that
 * cannot be opened holds no text. Throws NO for a search beyond reason.
 */
export async function* searchMailbox(
  ground: SearchGround,
  key: SearchKey,
  backwards = false,
): AsyncGenerator<readonly number[]> {
  const plan = new SearchPlan(key)
  const search = new Search(ground, plan)
  const { length } = ground.mailbox.view
  const largest = Math.max(1, Math.min(LARGEST_PAGE, Math.floor(AT_ONCE / plan.keys)))
  let size = Math.min(FIRST_PAGE, largest)
  for (let done = 0; done < length; ) {
    const count = Math.min(size, length - done)
    yield await search.page(backwards ? length - done - count : done, count)
    done += count
    size = Math.min(size * 2, largest)
    await setImmediate()
    ground.goOn()
  }
}

/** All of them, ascending. */
export async function matchingPlaces(ground: SearchGround, key: SearchKey): Promise<number[]> {
  const places: number[] = []
  for await (const page of searchMailbox(ground, key)) for (const place of page) places.push(place)
  return places
}

class Search {
  readonly #ground: SearchGround
  readonly #plan: SearchPlan
  /** Of the page. */
  #uids: Uid[] = []
  #truths: Truths = new Uint8Array()
  #open: number[] = []
  /** Messages of the page that are gone or unreadable: nobody can tell whether they match. */
  #lost = new Set<number>()
  /** Asked once for all pages, when the first one needs it. */
  #matches: readonly TextMatches[] | null = null

  constructor(ground: SearchGround, plan: SearchPlan) {
    this.#ground = ground
    this.#plan = plan
  }

  async page(start: number, count: number): Promise<number[]> {
    const { view } = this.#ground.mailbox
    this.#uids = []
    for (let place = start; place < start + count; place++) this.#uids.push(view.uidAt(place))
    this.#lost.clear()
    this.#plan.turnTo(count)
    for (const leaf of this.#plan.from('numbers')) {
      const answer = numberAnswer(leaf.key, this.#ground)
      for (let index = 0; index < count; index++) leaf.truths[index] = answer(start + index, this.#uids[index]!)
    }
    this.#judge()
    await this.#askRows()
    await this.#askFacts()
    await this.#askIndex()
    await this.#askSummaries()
    for (const leaf of this.#plan.texts) await this.#verify(leaf)
    const places: number[] = []
    for (let index = 0; index < count; index++)
      if (this.#truths[index] === YES && !this.#lost.has(index)) places.push(start + index)
    return places
  }

  #judge(): void {
    this.#truths = this.#plan.judge()
    this.#open = []
    for (let index = 0; index < this.#truths.length; index++)
      if (this.#truths[index] === OPEN && !this.#lost.has(index)) this.#open.push(index)
  }

  #openUids(): Uid[] {
    return this.#open.map((index) => this.#uids[index]!)
  }

  /** Answers the leaves for what is undecided; null in `looked` stands for a message that is gone. */
  #tell<T>(looked: readonly (T | null)[], leaves: readonly Leaf[], answers: readonly ((one: T) => number)[]): void {
    for (const [at, index] of this.#open.entries()) {
      const one = looked[at] ?? null
      if (one === null) this.#lost.add(index)
      else for (const [number, leaf] of leaves.entries()) leaf.truths[index] = answers[number]!(one)
    }
    this.#judge()
  }

  async #askRows(): Promise<void> {
    const { mailbox, now } = this.#ground
    const leaves = this.#plan.from('rows')
    if (leaves.length === 0 || this.#open.length === 0) return
    const rows = await mailbox.mail.rows(mailbox.id, this.#openUids())
    const answers = leaves.map(({ key }) => rowAnswer(key, now))
    this.#tell(rows, leaves, answers)
  }

  async #askFacts(): Promise<void> {
    const { mailbox } = this.#ground
    const leaves = this.#plan.from('facts')
    if (leaves.length === 0 || this.#open.length === 0) return
    const facts = await mailbox.mail.facts(mailbox.id, this.#openUids())
    const answers = leaves.map(({ key }) => factAnswer(key))
    this.#tell(facts, leaves, answers)
  }

  async #askIndex(): Promise<void> {
    const { mailbox } = this.#ground
    const { texts } = this.#plan
    if (texts.length === 0 || this.#open.length === 0) return
    this.#matches ??= await mailbox.mail.textMatches(
      mailbox.id,
      texts.map(({ query }) => query),
    )
    for (const [number, { truths }] of texts.entries()) {
      const { yes, open } = this.#matches[number]!
      const [isYes, isOpen] = [ascendingMembership(yes), ascendingMembership(open)]
      for (const index of this.#open) {
        const uid = this.#uids[index]!
        truths[index] = isYes(uid) ? YES : isOpen(uid) ? OPEN : NO
      }
    }
    this.#judge()
  }

  /** Sizes and dates, and header fields that the index does not know yet. */
  async #askSummaries(): Promise<void> {
    const { mailbox, logger, goOn } = this.#ground
    const isOpen = ({ truths }: Leaf) => this.#open.some((index) => truths[index] === OPEN)
    const sizes = this.#plan.from('rows').filter(({ key }) => key.kind === 'size')
    const exact = [...this.#plan.from('summaries'), ...sizes].filter(isOpen)
    const headers = this.#plan.texts.filter((leaf) => leaf.query.where === 'header' && isOpen(leaf))
    if (exact.length === 0 && headers.length === 0) return
    const answers = exact.map(({ key }) => summaryAnswer(key))
    const wanted = headers.map(({ query }) => fold(query.text))
    const open = this.#open
    let next = 0
    for await (const summary of readSummaries(mailbox, this.#openUids(), { logger, goOn })) {
      const index = open[next++]!
      if (summary === null) {
        this.#lost.add(index)
        continue
      }
      for (const [number, leaf] of exact.entries()) leaf.truths[index] = answers[number]!(summary)
      const text = new MessageText(summary, null)
      for (const [number, { query, truths }] of headers.entries()) {
        const found = truths[index] === OPEN ? text.fieldHas(query.field ?? '', wanted[number]!) : undefined
        if (found !== undefined) truths[index] = found ? YES : NO
      }
    }
    this.#judge()
  }

  /** Opens what this leaf leaves undecided. */
  async #verify({ query, truths }: TextLeaf): Promise<void> {
    const { mailbox, goOn } = this.#ground
    const open = this.#open.filter((index) => truths[index] === OPEN)
    for (let at = 0; at < open.length; at += OPENED_AT_ONCE) {
      const group = open.slice(at, at + OPENED_AT_ONCE)
      const uids = group.map((index) => this.#uids[index]!)
      const matching = new Set(await mailbox.mail.verifyText(mailbox.id, uids, query))
      for (const [number, index] of group.entries()) truths[index] = matching.has(uids[number]!) ? YES : NO
      goOn()
      await setImmediate()
    }
    if (open.length > 0) this.#judge()
  }
}
