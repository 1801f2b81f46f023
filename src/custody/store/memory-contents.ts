import type { Bytes } from '#lib/bytes.ts'
import type {
  ContentChange,
  ContentId,
  ContentReplacement,
  Contents,
  ContentTally,
  IndexedParts,
  Place,
  StoredContent,
  UnsealingState,
} from './indexed-mail-store.ts'
import { type MemoryAccount, type MemoryMessage, rowOf } from './memory-account.ts'

export class MemoryContents implements Contents {
  readonly #account: MemoryAccount

  constructor(account: MemoryAccount) {
    this.#account = account
  }

  #all(): Map<ContentId, MemoryMessage['content']> {
    return new Map(this.#account.messages().map(({ content }) => [content.id, content]))
  }

  async tally(): Promise<readonly ContentTally[]> {
    return [...this.#all().values()].map(({ sealedTo, unreadable }) => ({ sealedTo, unreadable, contents: 1 }))
  }

  async sealedTo(sealedTo: string | null, limit: number): Promise<readonly StoredContent[]> {
    return [...this.#all().values()]
      .filter((content) => content.sealedTo === sealedTo && !content.unreadable)
      .slice(0, limit)
      .map(({ id, octets }) => ({ id, size: octets.byteLength }))
  }

  async read(id: ContentId): Promise<Bytes | null> {
    return this.#all().get(id)?.octets ?? null
  }

  async readAll(ids: readonly ContentId[]): Promise<Map<ContentId, Bytes>> {
    const all = this.#all()
    return new Map(ids.flatMap((id) => (all.has(id) ? [[id, Buffer.from(all.get(id)!.octets)]] : [])))
  }

  async example(id: ContentId): Promise<(IndexedParts & Place) | null> {
    for (const mailbox of this.#account.mailboxes.values())
      for (const message of mailbox.messages.values())
        if (message.content.id === id) return { mailbox: mailbox.id, uid: message.uid, ...partsOf(message) }
    return null
  }

  async replace(id: ContentId, replacement: ContentReplacement): Promise<boolean> {
    return this.#account.replaceContent(id, replacement)
  }

  async describe(id: ContentId, { page: seal, unsealing }: ContentChange): Promise<boolean> {
    const content = this.#all().get(id)
    if (!content) return false
    const { pages } = this.#account
    const page = pages.add((number) => seal(number, id))
    const having = this.#account.messages().filter((message) => message.content === content)
    const before = having.map((message) => message.page)
    for (const message of having) Object.assign(message, { page, summary: null })
    pages.settle([...before, page])
    content.unsealing = unsealing ?? content.unsealing
    return true
  }

  async unsealing(id: ContentId): Promise<UnsealingState> {
    return this.#all().get(id)?.unsealing ?? 0
  }

  async unchecked(before: ContentId | null, limit: number): Promise<readonly ContentId[]> {
    return [...this.#all().values()]
      .filter(({ id, unsealing }) => unsealing === 2 && (before === null || id < before))
      .map(({ id }) => id)
      .sort((a, b) => b - a)
      .slice(0, limit)
  }

  async mark(id: ContentId, as: { readonly sealedTo: string | null; readonly unreadable: boolean }): Promise<void> {
    const content = this.#all().get(id)
    if (content) Object.assign(content, as)
  }
}

export function partsOf(message: MemoryMessage): IndexedParts {
  const { content, summary, page } = message
  return { content: content.id, row: rowOf(message), page, summary }
}
