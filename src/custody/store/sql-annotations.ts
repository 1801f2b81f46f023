import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { MailboxId } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { adjustAccount } from './sql-counters.ts'
import { readStatus } from './sql-mailboxes.ts'

/** In the place of a mailbox's number, for the annotations of the account itself. */
const ACCOUNT_ITSELF = 0

const annotationRow = prepare((query, given: { account: number; mailbox: number }) =>
  query
    .selectFrom('annotation')
    .select('octets')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)

/** null for none. Throws NoSuchMailbox. */
export async function readAnnotationOctets(scope: AccountScope, mailbox: MailboxId | null): Promise<Bytes | null> {
  if (mailbox !== null) await readStatus(scope, mailbox)
  const [row] = await annotationRow(scope.query, { account: scope.account, mailbox: mailbox ?? ACCOUNT_ITSELF })
  return row?.octets ?? null
}

/** false when `before` is not what is there. They count as room that is used. Throws NoSuchMailbox, OverQuota. */
export async function replaceAnnotationOctets(
  scope: AccountScope,
  mailbox: MailboxId | null,
  before: Bytes | null,
  after: Bytes | null,
): Promise<boolean> {
  const { query, account } = scope
  const now = await readAnnotationOctets(scope, mailbox)
  if (now === null || before === null ? now !== before : !asBuffer(now).equals(before)) return false
  await adjustAccount(scope, { contents: 0, used: (after?.byteLength ?? 0) - (now?.byteLength ?? 0) })
  const place = { account_id: account, mailbox_id: mailbox ?? ACCOUNT_ITSELF }
  await query
    .deleteFrom('annotation')
    .where('account_id', '=', account)
    .where('mailbox_id', '=', place.mailbox_id)
    .execute()
  if (after)
    await query
      .insertInto('annotation')
      .values({ ...place, octets: after })
      .execute()
  return true
}

/** With the mailbox. Answers the room that it gives back. */
export async function dropAnnotations({ query, account }: AccountScope, mailbox: MailboxId): Promise<number> {
  const [row] = await annotationRow(query, { account, mailbox })
  if (row)
    await query.deleteFrom('annotation').where('account_id', '=', account).where('mailbox_id', '=', mailbox).execute()
  return row?.octets.byteLength ?? 0
}
