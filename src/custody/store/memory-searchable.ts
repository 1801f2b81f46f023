import type { Bytes } from '#lib/bytes.ts'
import type { Claims } from '#lib/claims.ts'
import type { IndexFiles } from '../search/sealed-files.ts'
import type { ContentRun, MailboxContents, PlacedContent, Searchable } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import type { MemoryAccount } from './memory-account.ts'

export class MemorySearchable implements Searchable {
  readonly files: IndexFiles
  readonly #account: MemoryAccount

  constructor(account: MemoryAccount) {
    this.#account = account
    this.files = memoryFiles(account.searchFiles, account.searchClaims)
  }

  async mailbox(mailbox: MailboxId): Promise<MailboxContents> {
    const messages = [...this.#account.mailbox(mailbox).messages.values()].sort((a, b) => a.uid - b.uid)
    return {
      revision: '',
      uids: Uint32Array.from(messages, ({ uid }) => uid),
      contents: Float64Array.from(messages, ({ content }) => content.id),
    }
  }

  async places(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedContent[]> {
    const { messages } = this.#account.mailbox(mailbox)
    return uids.flatMap((uid) => {
      const content = messages.get(uid)?.content
      return content ? [{ content: content.id, mailbox, uid, size: content.octets.byteLength }] : []
    })
  }

  async placed({ first, last }: ContentRun, limit: number): Promise<readonly PlacedContent[]> {
    const placed: PlacedContent[] = []
    for (const { id, messages } of this.#account.mailboxes.values())
      for (const { uid, content } of messages.values())
        if (content.id >= first && content.id <= last)
          placed.push({ content: content.id, mailbox: id, uid, size: content.octets.byteLength })
    return placed.sort((a, b) => b.content - a.content).slice(0, limit)
  }
}

function memoryFiles(kept: Map<string, Bytes>, claims: Claims): IndexFiles {
  return {
    read: async (name) => kept.get(name) ?? null,
    write: async (name, octets) => void kept.set(name, octets),
    remove: async (name) => void kept.delete(name),
    names: async () => [...kept.keys()],
    isOld: async () => true,
    claim: () => claims.take('search'),
  }
}
