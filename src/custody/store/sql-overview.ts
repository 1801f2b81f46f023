/**
 * What SELECT tells, without looking at messages. Every uid below UIDNEXT is there or has vanished, so the mailbox's uids are what
 * the runs of vanished ones leave over; the counts stand in the mailbox's row, and indexes know the rest.
 */
import { sql } from 'kysely'
import type { MailboxId, MailboxOverview } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { readKeywords } from './sql-keywords.ts'
import { readStatus } from './sql-mailboxes.ts'
import { complementOf, countOf, packRuns, runsOf } from './uid-sets.ts'

type Given = { account: number; mailbox: number }

const firstUnseen = prepare((query, given: Given) =>
  query
    .selectFrom('message')
    .select('uid')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    // As the index `message_unseen` says it, or it is not used.
    .where(sql`flags & 1`, '=', sql.lit(0))
    .orderBy('uid')
    .limit(1),
)
const vanishedBetween = prepare((query, given: Given & { after: number; until: number; limit: number }) =>
  query
    .selectFrom('vanished')
    .select(['first_uid as first', 'last_uid as last'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '>', given.after)
    .where('modseq', '<=', given.until)
    .limit(given.limit),
)
const uidsBelow = prepare((query, given: Given & { uidNext: number }) =>
  query
    .selectFrom('message')
    .select('uid')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '<', given.uidNext)
    .orderBy('uid'),
)

const counted = prepare((query, given: Given) =>
  query
    .selectFrom('message')
    .select(({ fn }) => [
      fn.countAll<number>().as('messages'),
      sql<number>`coalesce(sum(flags & 1 = 0), 0)`.as('unseen'),
      sql<number>`coalesce(sum(flags & 8 != 0), 0)`.as('deleted'),
      sql<number>`coalesce(sum(size), 0)`.as('size'),
      sql<number>`coalesce(max(uid), 0) + 1`.as('uidnext'),
    ])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)

/** More news than this is not news: the whole is asked for. */
const NEWS = 4096

/**
 * null: something happened while it was being read, so that the numbers do not fit together; inside a transaction that cannot be.
 * Throws NoSuchMailbox.
 */
export async function readOverview(
  scope: AccountScope,
  mailbox: MailboxId,
  known?: number,
): Promise<MailboxOverview | null> {
  const { query, account } = scope
  const status = await readStatus(scope, mailbox)
  const [unseen] = status.unseen === 0 ? [] : await firstUnseen(query, { account, mailbox })
  const more = { status, keywords: await readKeywords(scope, mailbox), firstUnseen: unseen?.uid ?? null }
  const until = status.highestModseq
  if (known !== undefined && known <= until) {
    const news = await vanishedBetween(query, { account, mailbox, after: known, until, limit: NEWS + 1 })
    if (news.length <= NEWS) return { ...more, vanished: packRuns(news), present: null }
  }
  // Where more runs are gone than messages are left, those are the shorter list.
  const limit = status.messages + NEWS
  const vanished = await vanishedBetween(query, { account, mailbox, after: 0, until, limit: limit + 1 })
  if (vanished.length <= limit) {
    const present = complementOf(vanished, status.uidNext)
    if (countOf(present) === status.messages) return { ...more, vanished: null, present }
  }
  const rows = await uidsBelow(query, { account, mailbox, uidNext: status.uidNext })
  if (rows.length !== status.messages) return null
  const runs = runsOf(
    rows.map(({ uid }) => uid),
    1,
  )
  return { ...more, vanished: null, present: packRuns(runs) }
}

/** Inside a transaction: the same, with the counts put right where they are wrong, so that nobody is kept from their mail by a number. */
export async function readCertainOverview(scope: AccountScope, mailbox: MailboxId): Promise<MailboxOverview> {
  const overview = await readOverview(scope, mailbox)
  if (overview) return overview
  const { query, account } = scope
  const [row] = await counted(query, { account, mailbox })
  const { messages, unseen, deleted, size, uidnext } = row!
  await query
    .updateTable('mailbox')
    .set(({ ref }) => ({ messages, unseen, deleted, size, uidnext: sql<number>`max(${ref('uidnext')}, ${uidnext})` }))
    .where('account_id', '=', account)
    .where('mailbox_id', '=', mailbox)
    .execute()
  return (await readOverview(scope, mailbox))!
}
