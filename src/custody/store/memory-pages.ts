import type { Bytes } from '#lib/bytes.ts'
import { PAGE_ENTRIES } from './index-pages.ts'
import type { ContentId, NewPage, PageId, Pages } from './indexed-mail-store.ts'

/** As much of a message as its page concerns. */
interface PagedMessage {
  readonly content: { readonly id: ContentId }
  page: PageId | null
  summary: Bytes | null
}

/** The pages of one account's index. */
export class MemoryPages implements Pages {
  readonly #messages: () => readonly PagedMessage[]
  readonly #octets = new Map<PageId, Bytes>()
  readonly #untidy = new Set<PageId>()
  #last: PageId = 0
  #keyName: string | null = null

  constructor(messages: () => readonly PagedMessage[]) {
    this.#messages = messages
  }

  /** Nothing is in it before messages point to it. */
  add(seal: (id: PageId) => Bytes): PageId {
    const id = ++this.#last
    this.#octets.set(id, seal(id))
    return id
  }

  async read(ids: readonly PageId[]): Promise<ReadonlyMap<PageId, Bytes>> {
    const wanted = new Set(ids)
    return new Map([...this.#octets].filter(([id]) => wanted.has(id)))
  }

  async after(after: PageId, limit: number): Promise<readonly PageId[]> {
    return [...this.#octets.keys()].filter((id) => id > after).slice(0, limit)
  }

  async untidy(limit: number): Promise<readonly PageId[]> {
    return [...this.#untidy].sort((a, b) => a - b).slice(0, limit)
  }

  async waiting(): Promise<number> {
    return this.#contentsOf(null).length
  }

  async contentsOf(page: PageId): Promise<readonly ContentId[]> {
    return this.#contentsOf(page)
  }

  #contentsOf(page: PageId | null): readonly ContentId[] {
    const inside = this.#messages().filter((message) => message.page === page)
    return [...new Set(inside.map(({ content }) => content.id))]
  }

  async keep(pages: readonly NewPage[]): Promise<void> {
    for (const page of pages) this.#keep(page)
  }

  async keyName(): Promise<string | null> {
    return this.#keyName
  }

  async nameKey(name: string): Promise<void> {
    this.#keyName = name
  }

  #keep({ contents, from, seal }: NewPage): void {
    const page = this.add(seal)
    const wanted = new Set(contents)
    const moved = new Set<ContentId>()
    for (const message of this.#messages()) {
      if (!wanted.has(message.content.id) || !from.includes(message.page)) continue
      message.page = page
      message.summary = null
      moved.add(message.content.id)
    }
    this.settle([...from, page])
    if (moved.size === contents.length && moved.size >= PAGE_ENTRIES / 2) this.#untidy.delete(page)
  }

  /** After messages have left pages: those that no message needs go, the others are to be tidied. */
  settle(pages: Iterable<PageId | null>): void {
    for (const page of pages) {
      if (page === null) continue
      if (this.#contentsOf(page).length > 0) this.#untidy.add(page)
      else {
        this.#octets.delete(page)
        this.#untidy.delete(page)
      }
    }
  }
}
