import type { ContentRun, MailboxContents, PlacedContent, Searchable } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import { SearchFiles } from './search-files.ts'
import type { SqlAccess } from './sql-access.ts'
import { readStatus } from './sql-mailboxes.ts'
import { messagesOf } from './sql-messages.ts'

const contentsOf = prepare((query, given: { account: number; mailbox: number }) =>
  query
    .selectFrom('message')
    .select(['uid', 'content_id'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .orderBy('uid'),
)
const newestPlaced = prepare((query, given: { account: number; first: number; last: number; limit: number }) =>
  query
    .selectFrom('message')
    .select(['content_id as content', 'mailbox_id as mailbox', 'uid', 'size'])
    .where('account_id', '=', given.account)
    .where('content_id', '>=', given.first)
    .where('content_id', '<=', given.last)
    .orderBy('content_id', 'desc')
    .limit(given.limit),
)

export class SqlSearchable implements Searchable {
  readonly files: SearchFiles
  readonly #access: SqlAccess

  constructor(access: SqlAccess, directory: string, now: () => number) {
    this.#access = access
    this.files = new SearchFiles(directory, now)
  }

  mailbox(mailbox: MailboxId, known: string | null): Promise<MailboxContents | null> {
    return this.#access.read(async (scope, { db }) => {
      const revision = db.revision()
      if (revision === known) return null
      await readStatus(scope, mailbox)
      const rows = await contentsOf(scope.query, { account: scope.account, mailbox })
      const uids = new Uint32Array(rows.length)
      const contents = new Float64Array(rows.length)
      for (const [index, { uid, content_id }] of rows.entries()) {
        uids[index] = uid
        contents[index] = content_id
      }
      return { revision, uids, contents }
    })
  }

  places(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedContent[]> {
    return this.#access.read(async (scope) => {
      await readStatus(scope, mailbox)
      const found = await messagesOf(scope, mailbox, uids)
      return found.map(({ content_id: content, uid, size }) => ({ content, mailbox, uid, size }))
    })
  }

  placed(run: ContentRun, limit: number): Promise<readonly PlacedContent[]> {
    return this.#access.read(({ query, account }) => newestPlaced(query, { account, ...run, limit }))
  }
}
