/** The pages of one account's index as a session with keys uses them: opens them, and makes new ones. */
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { encodePage, PAGE_ENTRIES, type PageEntry } from './index-pages.ts'
import type { IndexRecords, OpenPage } from './index-records.ts'
import type { ContentId, IndexedAccountMail, NewPage, PageId } from './indexed-mail-store.ts'
import { mayNeedUnsealing } from './sealed-mail-store-candidates.ts'

/** `gone`: its entries are in another page by now. */
export type LookedPage = OpenPage | 'damaged' | 'newer' | 'gone'

/** An entry on its way into a page. */
export interface NewEntry extends PageEntry {
  /** Where it was. */
  readonly page: PageId | null
}

const OCTETS_KEPT = 1 << 20

/** Pages that were opened a moment ago: who reads message by message needs the same one again. Bounded, of all sessions together. */
export class OpenPages {
  /** Least recently used first. */
  readonly #kept = new Map<string, OpenPage>()
  #octets = 0

  get(owner: string, id: PageId): OpenPage | undefined {
    const key = `${owner} ${id}`
    const page = this.#kept.get(key)
    if (page) {
      this.#kept.delete(key)
      this.#kept.set(key, page)
    }
    return page
  }

  keep(owner: string, id: PageId, page: OpenPage): void {
    const key = `${owner} ${id}`
    this.#drop(key)
    this.#kept.set(key, page)
    this.#octets += page.plain.byteLength
    for (const oldest of this.#kept.keys()) {
      if (this.#octets <= OCTETS_KEPT) return
      this.#drop(oldest)
    }
  }

  forget(owner: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${owner} `)) this.#drop(key)
  }

  #drop(key: string): void {
    const page = this.#kept.get(key)
    if (!page) return
    this.#kept.delete(key)
    this.#octets -= page.plain.byteLength
    wipe(page.plain)
  }
}

interface Means {
  readonly account: AccountId
  readonly inner: IndexedAccountMail
  readonly open: OpenPages
  readonly records: () => Promise<IndexRecords>
  readonly logger: Logger
}

type Outcome = 'rebuilt' | 'damaged' | 'newer'

let lastOwner = 0

export class SealedPages implements Disposable {
  readonly #means: Means
  readonly #owner = `${++lastOwner}`
  /** Those that something was wrong with, by what became of them; 0 for what should be in one and is in none. */
  readonly #wrong = new Map<Outcome, Set<PageId>>()

  constructor(means: Means) {
    this.#means = means
  }

  /** Calls `use` for each page. What it is given is valid only until it returns. */
  async look(ids: readonly PageId[], use: (id: PageId, page: LookedPage) => void): Promise<void> {
    const { inner, open } = this.#means
    const records = await this.#means.records()
    const unknown: PageId[] = []
    for (const id of ids) {
      const page = open.get(this.#owner, id)
      if (page) use(id, page)
      else unknown.push(id)
    }
    if (unknown.length === 0) return
    const octets = await inner.pages.read(unknown)
    for (const id of unknown) {
      const sealed = octets.get(id)
      const page = sealed ? records.openPage(id, sealed) : 'gone'
      use(id, page)
      if (typeof page !== 'string') open.keep(this.#owner, id, page)
    }
  }

  /** A line for the first one, and another at the end for all: a large mailbox has thousands. */
  tell(id: PageId | null, outcome: Outcome): void {
    const { account, logger } = this.#means
    const wrong = this.#wrong.get(outcome)
    wrong?.add(id ?? 0)
    if (wrong) return
    this.#wrong.set(outcome, new Set([id ?? 0]))
    if (outcome === 'newer')
      logger.warn({ account, page: id }, 'a page of the index was written by a newer version and is left alone')
    else logger.warn({ account, page: id, outcome }, 'a page of the index was missing or damaged')
  }

  /** Keeps entries in new pages. They are copied at once, so their memory is the caller's again before this has been done. */
  async keep(entries: readonly NewEntry[]): Promise<void> {
    const groups = groupsOf(entries)
    try {
      const records = await this.#means.records()
      const pages = groups.map(
        ({ contents, from, plain }): NewPage => ({ contents, from, seal: (id) => records.sealPage(id, plain) }),
      )
      if (pages.length > 0) await this.#means.inner.pages.keep(pages)
    } finally {
      for (const { plain } of groups) wipe(plain)
    }
  }

  [Symbol.dispose](): void {
    const { account, open, logger } = this.#means
    for (const [outcome, { size }] of this.#wrong)
      if (size > 1) logger.warn({ account, pages: size, outcome }, 'there was more than one such page of the index')
    this.#wrong.clear()
    open.forget(this.#owner)
  }
}

function groupsOf(entries: readonly NewEntry[]) {
  const each = [...new Map(entries.map((one) => [one.content, one])).values()]
  return Array.from({ length: Math.ceil(each.length / PAGE_ENTRIES) }, (_, index) => {
    const group = each.slice(index * PAGE_ENTRIES, (index + 1) * PAGE_ENTRIES)
    const contents = group.map(({ content }) => content)
    return { contents, from: [...new Set(group.map(({ page }) => page))], plain: encodePage(group) }
  })
}

/** The entries of these contents, in memory of their own. */
export function copiesOf(page: OpenPage, id: PageId, contents: readonly ContentId[]): readonly NewEntry[] {
  return contents.flatMap((content) => {
    const held = page.entries.get(content)
    return held ? [{ ...held, entry: Buffer.from(held.entry), page: id }] : []
  })
}

/** A page of one entry alone. */
export function pageOf(
  records: IndexRecords,
  id: PageId,
  { content, entry }: { readonly content: ContentId; readonly entry: Bytes },
): Buffer {
  const plain = encodePage([{ content, entry, isSettled: !mayNeedUnsealing(entry) }])
  const sealed = records.sealPage(id, plain)
  wipe(plain)
  return sealed
}

/** The entry of a content, in memory of its own; null: it is not in that page, or the page does not open. */
export async function entryIn(
  inner: IndexedAccountMail,
  records: IndexRecords,
  { page, content }: { readonly page: PageId | null; readonly content: ContentId },
): Promise<Buffer | null> {
  const octets = page !== null && (await inner.pages.read([page])).get(page)
  const opened = octets && records.openPage(page!, octets)
  if (!opened || typeof opened === 'string') return null
  const [found] = copiesOf(opened, page!, [content])
  wipe(opened.plain)
  return (found?.entry as Buffer | undefined) ?? null
}
