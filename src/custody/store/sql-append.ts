import type { AccountDatabase } from './account-database.ts'
import type { SealedMessage } from './indexed-mail-store.ts'
import type { MailboxId } from './mail-store.ts'
import type { AccountScope } from './schema.ts'
import { appendMessage, type Delivered } from './sql-messages.ts'

/** Contents up to this size stay in the database, where a commit makes many of them durable at once. */
export const INLINE_OCTETS = 128 * 1024

/** `find` names the mailbox, inside the transaction. On the disk when it resolves. */
export async function appendTo(
  { db, account, blobs }: AccountDatabase,
  find: (scope: AccountScope) => Promise<MailboxId>,
  message: SealedMessage,
  now: number,
): Promise<Delivered> {
  const file = message.content.byteLength > INLINE_OCTETS ? await blobs.write(message.content) : null
  const write = () =>
    db.write(async (query) => {
      const scope = { query, account }
      return appendMessage(scope, await find(scope), message, { file, now })
    })
  if (file === null) return write()
  let delivered: Delivered | null = null
  try {
    delivered = await write()
    return delivered
  } finally {
    if (!delivered?.isNew) await blobs.remove([file])
  }
}
