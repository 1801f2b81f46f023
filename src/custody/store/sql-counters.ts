/** The numbers that rise: MODSEQ, UIDs, counts and sizes. Every change of an account's mail takes its numbers here. */
import { NoSuchMailbox } from './mail-store.ts'
import { prepare } from './prepared.ts'
import { checkQuota } from './quota.ts'
import type { AccountScope } from './schema.ts'

const adjustAccountRow = prepare((query, given: { account: number; contents: number; used: number }) =>
  query
    .updateTable('account')
    .set((row) => ({
      modseq: row('modseq', '+', 1),
      content_id: row('content_id', '+', given.contents),
      used: row('used', '+', given.used),
    }))
    .where('account_id', '=', given.account)
    .returning(['modseq', 'content_id', 'used', 'quota']),
)

/** Takes the next MODSEQ, ids for so many contents (the last one is answered), and room. Throws OverQuota. */
export async function adjustAccount(
  { query, account }: AccountScope,
  { contents, used }: { contents: number; used: number },
): Promise<{ modseq: number; lastContent: number }> {
  const [row] = await adjustAccountRow(query, { account, contents, used })
  checkQuota(row!.used - used, used, row!.quota)
  return { modseq: row!.modseq, lastContent: row!.content_id }
}

const accountModseq = prepare((query, given: { account: number }) =>
  query.selectFrom('account').select('modseq').where('account_id', '=', given.account),
)

/** The highest that was given. */
export async function readModseq({ query, account }: AccountScope): Promise<number> {
  return (await accountModseq(query, { account }))[0]?.modseq ?? 0
}

export interface MailboxAdjustment {
  readonly mailbox: number
  readonly modseq: number
  /** How many UIDs to take. */
  readonly uids: number
  readonly messages: number
  readonly unseen: number
  readonly deleted: number
  readonly size: number
}

const adjustMailboxRow = prepare((query, given: MailboxAdjustment & { account: number }) =>
  query
    .updateTable('mailbox')
    .set((row) => ({
      uidnext: row('uidnext', '+', given.uids),
      highest_modseq: given.modseq,
      messages: row('messages', '+', given.messages),
      unseen: row('unseen', '+', given.unseen),
      deleted: row('deleted', '+', given.deleted),
      size: row('size', '+', given.size),
    }))
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .returning(['uidnext', 'uidvalidity']),
)

/** Answers the first of the UIDs taken. Throws NoSuchMailbox. */
export async function adjustMailbox(
  { query, account }: AccountScope,
  adjustment: MailboxAdjustment,
): Promise<{ firstUid: number; uidValidity: number }> {
  const [row] = await adjustMailboxRow(query, { ...adjustment, account })
  if (!row) throw new NoSuchMailbox('no such mailbox')
  return { firstUid: row.uidnext - adjustment.uids, uidValidity: row.uidvalidity }
}
