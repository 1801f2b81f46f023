import type { ContentId, PageId } from './indexed-mail-store.ts'
import type { MailboxId } from './mail-store.ts'
import { prepare } from './prepared.ts'
import { MESSAGE_COST } from './quota.ts'
import type { AccountScope } from './schema.ts'
import { dropAnnotations } from './sql-annotations.ts'
import { adjustAccount, adjustMailbox } from './sql-counters.ts'
import { countsOf, type StoredMessage } from './sql-messages.ts'
import { deleteWaiting, settlePages } from './sql-pages.ts'
import { noteVanished } from './sql-vanished.ts'
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
/** Only where no message has it any more. */
const deleteContent = prepare((query, given: { account: number; content: number }) =>
  query
    .deleteFrom('content')
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('message')
            .select('uid')
            .where('account_id', '=', given.account)
            .where('content_id', '=', given.content),
        ),
      ),
    )
    .returning(['size', 'file']),
)
/** Takes the rows out of the mailbox (its counts too) and remembers that they vanished; contents stay. */
export async function takeRows(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
  modseq: number,
): Promise<void> {
  await deleteRows(scope, mailbox, messages)
  await leave(scope, mailbox, messages, modseq)
}

async function deleteRows({ query, account }: AccountScope, mailbox: MailboxId, messages: readonly StoredMessage[]) {
  for (const [index, { uid }] of messages.entries()) {
    await deleteMessage(query, { account, mailbox, uid })
    await yieldNow(index)
  }
}

/** They leave the mailbox's counts, and are remembered as gone. */
async function leave(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
  modseq: number,
): Promise<void> {
  await adjustMailbox(scope, { mailbox, modseq, uids: 0, ...countsOf(messages, -1) })
  const uids = messages.map((message) => message.uid)
  await noteVanished(scope, mailbox, { runs: runsOf(uids, 1), modseq })
}

/**
 * After the rows are gone: lets go of contents that no message has any more, and of what else is kept of them. Answers the
 * blob files that are needed no more.
 */
async function releaseContents(scope: AccountScope, messages: readonly StoredMessage[]) {
  const { query, account } = scope
  const files: string[] = []
  const released: ContentId[] = []
  const pages = new Set<PageId>()
  let freed = messages.length * MESSAGE_COST
  for (const [index, { content_id: content, index_page }] of messages.entries()) {
    const [gone] = await deleteContent(query, { account, content })
    await yieldNow(index)
    if (!gone) continue
    released.push(content)
    freed += gone.size
    if (gone.file !== null) files.push(gone.file)
    if (index_page !== null) pages.add(index_page)
  }
  await deleteWaiting(scope, released)
  await settlePages(scope, pages)
  const { modseq } = await adjustAccount(scope, { contents: 0, used: -freed })
  return { modseq, files }
}

/** Removes messages; answers the blob files to remove after the commit. */
export async function removeMessages(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
): Promise<readonly string[]> {
  await deleteRows(scope, mailbox, messages)
  const { modseq, files } = await releaseContents(scope, messages)
  await leave(scope, mailbox, messages, modseq)
  return files
}

/** Removes a mailbox with its messages; answers the blob files to remove after the commit. */
export async function removeMailbox(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: readonly StoredMessage[],
): Promise<readonly string[]> {
  await adjustAccount(scope, { contents: 0, used: -(await dropAnnotations(scope, mailbox)) })
  for (const table of ['message', 'vanished', 'keyword', 'mailbox'] as const)
    await scope.query
      .deleteFrom(table)
      .where('account_id', '=', scope.account)
      .where('mailbox_id', '=', mailbox)
      .execute()
  return (await releaseContents(scope, messages)).files
}
