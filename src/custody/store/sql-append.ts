import type { AccountDatabase } from './account-database.ts'
import type { SealedMessage } from './indexed-mail-store.ts'
import type { MailboxId } from './mail-store.ts'
import type { AccountScope } from './schema.ts'
import { appendMessage, type Delivered } from './sql-messages.ts'

/** Contents up to this size stay in the database, where a commit makes many of them durable at once. */
export const INLINE_OCTETS = 128 * 1024

type Find = (scope: AccountScope) => Promise<MailboxId>

/** `find` names the mailbox, inside the transaction. On the disk when it resolves. */
export async function appendTo(
  database: AccountDatabase,
  find: Find,
  message: SealedMessage,
  now: number,
): Promise<Delivered> {
  const [delivered] = await appendAllTo(database, find, [message], now)
  return delivered!
}

/** The same for several: all or none. */
export async function appendAllTo(
  { db, account, blobs }: AccountDatabase,
  find: Find,
  messages: readonly SealedMessage[],
  now: number,
): Promise<readonly Delivered[]> {
  const files: (string | null)[] = []
  const delivered: Delivered[] = []
  let isWritten = false
  try {
    for (const { content } of messages)
      files.push(content.byteLength > INLINE_OCTETS ? await blobs.write(content) : null)
    await db.write(async (query) => {
      const scope = { query, account }
      const mailbox = await find(scope)
      delivered.length = 0
      for (const [index, message] of messages.entries())
        delivered.push(await appendMessage(scope, mailbox, message, { file: files[index]!, now }))
    })
    isWritten = true
    return delivered
  } finally {
    const unused = files.filter((file, index) => file !== null && !(isWritten && delivered[index]!.isNew))
    if (unused.length > 0) await blobs.remove(unused as string[])
  }
}
