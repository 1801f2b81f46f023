import type { MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import { MESSAGE_COST } from './quota.ts'
import type { AccountScope } from './schema.ts'
import { dropAnnotations } from './sql-annotations.ts'
import { adjustAccount, adjustMailbox } from './sql-counters.ts'
import { countsOf, type StoredMessage } from './sql-messages.ts'
import { runsOf } from './uid-sets.ts'
import { yieldNow } from './yield-now.ts'

type Place = { account: number; mailbox: number; uid: number }

const deleteMessage = prepare((query, given: Place) =>
  query
    .deleteFrom('message')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const deleteSummary = prepare((query, given: Place) =>
  query
    .deleteFrom('summary')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const deleteRecord = prepare((query, given: Place) =>
  query
    .deleteFrom('index_record')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const leaveContent = prepare((query, given: { account: number; content: number }) =>
  query
    .updateTable('content')
    .set((row) => ({ message_count: row('message_count', '-', 1) }))
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content)
    .returning(['message_count', 'size', 'file']),
)
const deleteContent = prepare((query, given: { account: number; content: number }) =>
  query.deleteFrom('content').where('account_id', '=', given.account).where('content_id', '=', given.content),
)
const insertVanished = prepare(
  (query, given: { account: number; mailbox: number; modseq: number; first: number; last: number }) =>
    query.insertInto('vanished').values({
      account_id: given.account,
      mailbox_id: given.mailbox,
      modseq: given.modseq,
      first_uid: given.first,
      last_uid: given.last,
    }),
)
const vanishedAfter = prepare((query, given: { account: number; mailbox: number; modseq: number }) =>
  query
    .selectFrom('vanished')
    .select(['first_uid', 'last_uid'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '>', given.modseq),
)

/** Takes the rows out of the mailbox (its counts too) and remembers that they vanished; contents stay. */
export async function takeRows(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
  modseq: number,
): Promise<void> {
  const { query, account } = scope
  await adjustMailbox(scope, { mailbox, modseq, uids: 0, ...countsOf(messages, -1) })
  for (const [index, { uid }] of messages.entries()) {
    await deleteMessage(query, { account, mailbox, uid })
    await yieldNow(index)
  }
  const uids = messages.map((message) => message.uid)
  for (const { first, last } of runsOf(uids, 1)) await insertVanished(query, { account, mailbox, modseq, first, last })
}

/** Lets go of contents and of what else is kept of the messages. Answers the blob files that no message needs any more. */
async function releaseMessages(scope: AccountScope, mailbox: MailboxId, messages: readonly StoredMessage[]) {
  const { query, account } = scope
  const files: string[] = []
  let freed = 0
  for (const [index, { uid, content_id: content }] of messages.entries()) {
    await deleteSummary(query, { account, mailbox, uid })
    await deleteRecord(query, { account, mailbox, uid })
    freed += MESSAGE_COST
    const [left] = await leaveContent(query, { account, content })
    if (left && left.message_count <= 0) {
      await deleteContent(query, { account, content })
      freed += left.size
      if (left.file !== null) files.push(left.file)
    }
    await yieldNow(index)
  }
  const { modseq } = await adjustAccount(scope, { contents: 0, used: -freed })
  return { modseq, files }
}

/** Removes messages; answers the blob files to remove after the commit. */
export async function removeMessages(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
): Promise<readonly string[]> {
  const { modseq, files } = await releaseMessages(scope, mailbox, messages)
  await takeRows(scope, mailbox, messages, modseq)
  return files
}

/** Removes a mailbox with its messages; answers the blob files to remove after the commit. */
export async function removeMailbox(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
): Promise<readonly string[]> {
  const { files } = await releaseMessages(scope, mailbox, messages)
  await adjustAccount(scope, { contents: 0, used: -(await dropAnnotations(scope, mailbox)) })
  for (const table of ['message', 'vanished', 'keyword', 'mailbox'] as const)
    await scope.query
      .deleteFrom(table)
      .where('account_id', '=', scope.account)
      .where('mailbox_id', '=', mailbox)
      .execute()
  return files
}

/** Ascending. */
export async function readVanished(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  modseq: number,
): Promise<readonly Uid[]> {
  const uids: Uid[] = []
  for (const { first_uid, last_uid } of await vanishedAfter(query, { account, mailbox, modseq }))
    for (let uid = first_uid; uid <= last_uid; uid++) uids.push(uid)
  return uids.sort((a, b) => a - b)
}
