import { sql } from 'kysely'
import type { Bytes } from '#lib/bytes.ts'
import { DELETED, decodeFlags, encodeFlags, SEEN } from './flags.ts'
import type { SealedMessage, UnsealingState } from './indexed-mail-store.ts'
import type { Appended, MailboxId, MessageFacts, MessageRow, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import { MESSAGE_COST } from './quota.ts'
import type { AccountScope, MessageTable } from './schema.ts'
import { adjustAccount, adjustMailbox } from './sql-counters.ts'
import { learnKeywords } from './sql-keywords.ts'
import { runsOf, sortedUids } from './uid-sets.ts'

export type StoredMessage = Omit<MessageTable, 'account_id' | 'mailbox_id'>

const COLUMNS = [
  'uid',
  'modseq',
  'internal_date',
  'flags',
  'keywords',
  'size',
  'content_id',
  'email_id',
  'saved',
  'index_page',
] as const

const inMailbox = prepare((query, given: { account: number; mailbox: number; first: number; last: number }) =>
  query
    .selectFrom('message')
    .select(COLUMNS)
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '>=', given.first)
    .where('uid', '<=', given.last)
    .orderBy('uid'),
)
const markedDeleted = prepare((query, given: { account: number; mailbox: number }) =>
  query
    .selectFrom('message')
    .select(COLUMNS)
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    // As the index `message_deleted` says it, or it is not used.
    .where(sql`flags & 8`, '!=', sql.lit(0))
    .orderBy('uid'),
)
const changed = prepare((query, given: { account: number; mailbox: number; modseq: number }) =>
  query
    .selectFrom('message')
    .select(COLUMNS)
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '>', given.modseq)
    .orderBy('uid'),
)
const insertMessage = prepare((query, given: MessageTable) =>
  query.insertInto('message').values({
    account_id: given.account_id,
    mailbox_id: given.mailbox_id,
    uid: given.uid,
    modseq: given.modseq,
    internal_date: given.internal_date,
    flags: given.flags,
    keywords: given.keywords,
    size: given.size,
    content_id: given.content_id,
    email_id: given.email_id,
    saved: given.saved,
    index_page: given.index_page,
  }),
)
type Place = { account: number; mailbox: number; uid: number }
interface ContentRow {
  readonly account: number
  readonly content: number
  readonly messages: number
  readonly size: number
  readonly octets: Bytes | null
  readonly file: string | null
  readonly sealedTo: string | null
  readonly unsealing: UnsealingState
}
export const insertContent = prepare((query, given: ContentRow) =>
  query.insertInto('content').values({
    account_id: given.account,
    content_id: given.content,
    message_count: given.messages,
    size: given.size,
    octets: given.octets,
    file: given.file,
    sealed_to: given.sealedTo,
    unreadable: 0,
    unsealing: given.unsealing,
  }),
)
const insertSummary = prepare((query, given: { account: number; content: number; octets: Bytes }) =>
  query
    .insertInto('waiting_summary')
    .values({ account_id: given.account, content_id: given.content, octets: given.octets }),
)
const deliveredBefore = prepare((query, given: { account: number; key: string }) =>
  query
    .selectFrom('delivery')
    .select(['mailbox_id', 'uidvalidity', 'uid'])
    .where('account_id', '=', given.account)
    .where('delivery_key', '=', given.key),
)
const insertDelivery = prepare((query, given: Place & { key: string; uidValidity: number; at: number }) =>
  query.insertInto('delivery').values({
    account_id: given.account,
    delivery_key: given.key,
    mailbox_id: given.mailbox,
    uidvalidity: given.uidValidity,
    uid: given.uid,
    at: given.at,
  }),
)

export function rowOf(message: StoredMessage): MessageRow {
  return {
    uid: message.uid,
    modseq: message.modseq,
    internalDate: message.internal_date * 1000,
    flags: decodeFlags({ system: message.flags, keywords: message.keywords }),
    paddedSize: message.size,
  }
}

export function factsOf({ email_id, saved }: StoredMessage): MessageFacts {
  return { emailId: `M${email_id}`, savedDate: saved * 1000 }
}

export async function allMessages(scope: AccountScope, mailbox: MailboxId): Promise<StoredMessage[]> {
  return inMailbox(scope.query, { account: scope.account, mailbox, first: 0, last: Number.MAX_SAFE_INTEGER })
}

/** Rows are small: reading some that were not asked for is cheaper than another query. */
export const ROWS_GAP = 32

/** Those of `uids` that are there, ascending, each once. */
export async function messagesOf(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<StoredMessage[]> {
  const sorted = sortedUids(uids)
  const asked = new Set(sorted)
  const found: StoredMessage[] = []
  for (const { first, last } of runsOf(sorted, ROWS_GAP))
    for (const row of await inMailbox(scope.query, { account: scope.account, mailbox, first, last }))
      if (asked.has(row.uid)) found.push(row)
  return found
}

/** Those of `uids`, or of all, that are marked \\Deleted. */
export async function messagesMarkedDeleted(scope: AccountScope, mailbox: MailboxId, uids?: readonly Uid[]) {
  if (!uids) return markedDeleted(scope.query, { account: scope.account, mailbox })
  return (await messagesOf(scope, mailbox, uids)).filter((message) => (message.flags & DELETED) !== 0)
}

export async function messagesChanged(scope: AccountScope, mailbox: MailboxId, modseq: number) {
  return changed(scope.query, { account: scope.account, mailbox, modseq })
}

/** How a mailbox's counts change when these messages come (`sign` 1) or go (-1). */
export function countsOf(messages: readonly Pick<StoredMessage, 'flags' | 'size'>[], sign: 1 | -1) {
  let unseen = 0
  let deleted = 0
  let size = 0
  for (const message of messages) {
    if ((message.flags & SEEN) === 0) unseen++
    if ((message.flags & DELETED) !== 0) deleted++
    size += message.size
  }
  return { messages: sign * messages.length, unseen: sign * unseen, deleted: sign * deleted, size: sign * size }
}

/** Puts a row into the mailbox whose numbers were taken before. */
export async function addRow(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  message: StoredMessage,
): Promise<void> {
  await insertMessage(query, { account_id: account, mailbox_id: mailbox, ...message })
}

export interface Delivered {
  readonly appended: Appended
  /** False when the delivery key was known. */
  readonly isNew: boolean
}

/** `file` names the content's blob; null keeps it in the row. Throws NoSuchMailbox, OverQuota. */
export async function appendMessage(
  scope: AccountScope,
  mailbox: MailboxId,
  message: SealedMessage,
  { file, now }: { file: string | null; now: number },
): Promise<Delivered> {
  const { query, account } = scope
  const { content, summary, deliveryKey } = message
  if (deliveryKey !== undefined) {
    const [row] = await deliveredBefore(query, { account, key: deliveryKey })
    if (row) return { appended: { mailbox: row.mailbox_id, uidValidity: row.uidvalidity, uid: row.uid }, isNew: false }
  }
  const { system: flags, keywords } = encodeFlags(message.flags)
  const size = content.byteLength
  const { modseq, lastContent } = await adjustAccount(scope, { contents: 1, used: size + MESSAGE_COST })
  const counts = countsOf([{ flags, size }], 1)
  const { firstUid: uid, uidValidity } = await adjustMailbox(scope, { mailbox, modseq, uids: 1, ...counts })
  await insertContent(query, {
    account,
    content: lastContent,
    messages: 1,
    size,
    octets: file === null ? content : null,
    file,
    sealedTo: message.sealedTo ?? null,
    unsealing: 0,
  })
  if (keywords !== '') await learnKeywords(scope, mailbox, [{ keywords }])
  const internal_date = Math.floor(message.internalDate / 1000)
  await addRow(scope, mailbox, {
    ...{ uid, modseq, internal_date, flags, keywords, size },
    ...{ content_id: lastContent, email_id: lastContent, saved: Math.floor(now / 1000), index_page: null },
  })
  await insertSummary(query, { account, content: lastContent, octets: summary })
  if (deliveryKey !== undefined)
    await insertDelivery(query, { account, mailbox, uid, key: deliveryKey, uidValidity, at: now })
  return { appended: { mailbox, uidValidity, uid }, isNew: true }
}
