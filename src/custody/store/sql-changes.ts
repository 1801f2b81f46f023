import type { Copied, MailboxId, MailboxName, Relocated, Uid } from './mail-store.ts'
import { INBOX } from './mailbox-name.ts'
import { MESSAGE_COST } from './quota.ts'
import type { AccountScope } from './schema.ts'
import { adjustAccount, adjustMailbox } from './sql-counters.ts'
import { learnKeywords } from './sql-keywords.ts'
import { addMailbox, addSuperiors, mailboxNamed, readStatus } from './sql-mailboxes.ts'
import { addRow, allMessages, countsOf, messagesOf, type StoredMessage } from './sql-messages.ts'
import { takeRows } from './sql-removal.ts'
import { yieldNow } from './yield-now.ts'

/** Which messages go where. `at`: their new save date, in milliseconds since the epoch; null: they keep the one that they have. */
export interface Passage {
  readonly from: MailboxId
  readonly uids: readonly Uid[]
  readonly to: MailboxId
  readonly at: number | null
}

/** Throws NoSuchMailbox, OverQuota. */
export async function copyMessages(scope: AccountScope, { from, uids, to, at }: Passage): Promise<Copied> {
  const { uidValidity } = await bothMailboxes(scope, from, to)
  const found = await messagesOf(scope, from, uids)
  if (found.length === 0) return { uidValidity, uids: [] }
  const { modseq } = await adjustAccount(scope, { contents: 0, used: found.length * MESSAGE_COST })
  return { uidValidity, uids: await addAll(scope, { to, at, modseq }, found) }
}

/** Throws NoSuchMailbox. */
export async function moveMessages(scope: AccountScope, { from, uids, to, at }: Passage): Promise<Copied> {
  const { uidValidity } = await bothMailboxes(scope, from, to)
  const found = await messagesOf(scope, from, uids)
  if (found.length === 0) return { uidValidity, uids: [] }
  const { modseq } = await adjustAccount(scope, { contents: 0, used: 0 })
  const moved = await addAll(scope, { to, at, modseq }, found)
  await takeRows(scope, from, found, modseq)
  return { uidValidity, uids: moved }
}

/**
 * Renaming INBOX moves its messages to a new mailbox (RFC 3501 §6.3.5). INBOX keeps its id: who has it selected sees them leave
 * and hears of new mail. Throws MailboxExists.
 */
export async function renameInbox(scope: AccountScope, to: MailboxName, now: number): Promise<Relocated> {
  const made = await addMailbox(scope, { name: to, specialUse: null }, now)
  await addSuperiors(scope, to, now)
  const inbox = (await mailboxNamed(scope, INBOX))!
  const uids = (await allMessages(scope, inbox)).map(({ uid }) => uid)
  return { from: inbox, to: made, ...(await moveMessages(scope, { from: inbox, uids, to: made, at: now })) }
}

async function bothMailboxes(scope: AccountScope, from: MailboxId, to: MailboxId) {
  await readStatus(scope, from)
  return readStatus(scope, to)
}

async function addAll(
  scope: AccountScope,
  { to, at, modseq }: { to: MailboxId; at: number | null; modseq: number },
  messages: readonly StoredMessage[],
) {
  const counts = countsOf(messages, 1)
  const { firstUid } = await adjustMailbox(scope, { mailbox: to, modseq, uids: messages.length, ...counts })
  await learnKeywords(scope, to, messages)
  for (const [index, message] of messages.entries()) {
    const saved = at === null ? message.saved : Math.floor(at / 1000)
    await addRow(scope, to, { ...message, uid: firstUid + index, modseq, saved })
    await yieldNow(index)
  }
  return messages.map(({ uid }, index): readonly [Uid, Uid] => [uid, firstUid + index])
}
