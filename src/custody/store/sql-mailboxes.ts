import { sql } from 'kysely'
import {
  type Mailbox,
  MailboxExists,
  type MailboxId,
  type MailboxName,
  MailboxRefused,
  type MailboxStatus,
  NoSuchMailbox,
  type SpecialUse,
  TooManyMailboxes,
} from './mail-store.ts'
import { byName, isInferior, MAILBOXES_PER_ACCOUNT, superiorNames } from './mailbox-name.ts'
import { prepare } from './prepared.ts'
import type { AccountScope, StoreSchema } from './schema.ts'
import { adjustAccount } from './sql-counters.ts'

const COLUMNS = ['mailbox_id', 'name', 'special_use', 'uidvalidity'] as const

const all = prepare((query, given: { account: number }) =>
  query.selectFrom('mailbox').select(COLUMNS).where('account_id', '=', given.account),
)
const byId = prepare((query, given: { account: number; mailbox: number }) =>
  query
    .selectFrom('mailbox')
    .selectAll()
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)
const named = prepare((query, given: { account: number; name: string }) =>
  query.selectFrom('mailbox').select(COLUMNS).where('account_id', '=', given.account).where('name', '=', given.name),
)
/** Names are in the order of their octets. */
const namedBetween = prepare((query, given: { account: number; first: string; end: string }) =>
  query
    .selectFrom('mailbox')
    .select(COLUMNS)
    .where('account_id', '=', given.account)
    .where('name', '>=', given.first)
    .where('name', '<', given.end),
)
const usedAs = prepare((query, given: { account: number; use: SpecialUse }) =>
  query
    .selectFrom('mailbox')
    .select('mailbox_id')
    .where('account_id', '=', given.account)
    .where('special_use', '=', given.use),
)
const mailboxCount = prepare((query, given: { account: number }) =>
  query
    .selectFrom('mailbox')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', given.account),
)
const nextNumbers = prepare((query, given: { account: number; since: number }) =>
  query
    .updateTable('account')
    .set((row) => ({
      mailbox_id: row('mailbox_id', '+', 1),
      uidvalidity: sql<number>`max(uidvalidity + 1, ${given.since})`,
    }))
    .where('account_id', '=', given.account)
    .returning(['mailbox_id', 'uidvalidity']),
)
const insertMailbox = prepare(
  (
    query,
    given: Record<'account' | 'mailbox' | 'uidvalidity' | 'modseq', number> & { name: string; use: SpecialUse | null },
  ) =>
    query.insertInto('mailbox').values({
      account_id: given.account,
      mailbox_id: given.mailbox,
      name: given.name,
      special_use: given.use,
      uidvalidity: given.uidvalidity,
      uidnext: 1,
      highest_modseq: given.modseq,
      messages: 0,
      unseen: 0,
      deleted: 0,
      size: 0,
      vanished_room: 0,
    }),
)
const rename = prepare((query, given: { account: number; mailbox: number; name: string }) =>
  query
    .updateTable('mailbox')
    .set({ name: given.name })
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)
const subscribedNames = prepare((query, given: { account: number }) =>
  query.selectFrom('subscription').select('name').where('account_id', '=', given.account),
)
const subscriptionCount = prepare((query, given: { account: number }) =>
  query
    .selectFrom('subscription')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', given.account),
)
const subscribed = prepare((query, given: { account: number; name: string }) =>
  query
    .selectFrom('subscription')
    .select('name')
    .where('account_id', '=', given.account)
    .where('name', '=', given.name),
)
const changedAfter = prepare((query, given: { account: number; modseq: number }) =>
  query
    .selectFrom('mailbox')
    .select(['mailbox_id', 'highest_modseq'])
    .where('account_id', '=', given.account)
    .where('highest_modseq', '>', given.modseq),
)

/** Throws NoSuchMailbox. */
export async function readStatus({ query, account }: AccountScope, mailbox: MailboxId): Promise<MailboxStatus> {
  const [row] = await byId(query, { account, mailbox })
  if (!row) throw new NoSuchMailbox('no such mailbox')
  return {
    messages: row.messages,
    unseen: row.unseen,
    deleted: row.deleted,
    uidNext: row.uidnext,
    uidValidity: row.uidvalidity,
    highestModseq: row.highest_modseq,
    size: row.size,
  }
}

export async function readMailboxes(scope: AccountScope): Promise<readonly Mailbox[]> {
  const { query, account } = scope
  const names = new Set((await subscribedNames(query, { account })).map(({ name }) => name))
  const rows = await all(query, { account })
  return rows.map((row) => mailboxOf(row, names.has(row.name))).sort(byName)
}

export async function readMailbox(
  { query, account }: AccountScope,
  which: MailboxName | MailboxId,
): Promise<Mailbox | null> {
  const byNumber = typeof which === 'number'
  const [row] = await (byNumber ? byId(query, { account, mailbox: which }) : named(query, { account, name: which }))
  return row ? mailboxOf(row, (await subscribed(query, { account, name: row.name })).length > 0) : null
}

type Row = Pick<StoreSchema['mailbox'], (typeof COLUMNS)[number]>

function mailboxOf(row: Row, isSubscribed: boolean): Mailbox {
  const { mailbox_id: id, name, uidvalidity: uidValidity, special_use: specialUse } = row
  return { id, name, uidValidity, subscribed: isSubscribed, specialUse }
}

export async function readSubscriptions({ query, account }: AccountScope): Promise<readonly MailboxName[]> {
  return (await subscribedNames(query, { account })).map((row) => row.name).sort()
}

export async function setSubscription(
  { query, account }: AccountScope,
  name: MailboxName,
  isSubscribed: boolean,
): Promise<void> {
  if (isSubscribed) {
    const [before] = await subscriptionCount(query, { account })
    if (before!.count >= MAILBOXES_PER_ACCOUNT) throw new TooManyMailboxes('too many subscriptions')
    await query
      .insertInto('subscription')
      .values({ account_id: account, name })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  } else await query.deleteFrom('subscription').where('account_id', '=', account).where('name', '=', name).execute()
}

export async function mailboxNamed({ query, account }: AccountScope, name: MailboxName): Promise<MailboxId | null> {
  return (await named(query, { account, name }))[0]?.mailbox_id ?? null
}

/** Mailboxes with a higher MODSEQ. */
export async function mailboxesChangedAfter({ query, account }: AccountScope, modseq: number) {
  return changedAfter(query, { account, modseq })
}

/** `now` in milliseconds: a UIDVALIDITY is also higher than any that was given before the account was lost and made again. */
export async function addMailbox(
  scope: AccountScope,
  { name, specialUse }: { name: MailboxName; specialUse: SpecialUse | null },
  now: number,
): Promise<MailboxId> {
  const { query, account } = scope
  if ((await mailboxNamed(scope, name)) !== null) throw new MailboxExists('the mailbox exists')
  const [numbers] = await nextNumbers(query, { account, since: Math.floor(now / 1000) })
  const { mailbox_id: mailbox, uidvalidity } = numbers!
  // Numbers are given once, so up to here there cannot be too many, and nobody needs to count.
  if (mailbox > MAILBOXES_PER_ACCOUNT && (await mailboxCount(query, { account }))[0]!.count >= MAILBOXES_PER_ACCOUNT)
    throw new TooManyMailboxes('too many mailboxes')
  if (specialUse && (await usedAs(query, { account, use: specialUse })).length > 0)
    throw new MailboxRefused(`there is a mailbox for ${specialUse} already`)
  const { modseq } = await adjustAccount(scope, { contents: 0, used: 0 })
  await insertMailbox(query, { account, mailbox, uidvalidity, modseq, name, use: specialUse })
  return mailbox
}

export async function addSuperiors(scope: AccountScope, name: MailboxName, now: number): Promise<void> {
  for (const superior of superiorNames(name))
    if ((await mailboxNamed(scope, superior)) === null)
      await addMailbox(scope, { name: superior, specialUse: null }, now)
}

/** Its inferiors go with it. Answers the mailbox that `from` named. Not for INBOX, which stays. */
export async function renameMailbox(
  scope: AccountScope,
  { from, to }: { from: MailboxName; to: MailboxName },
  now: number,
): Promise<MailboxId> {
  const { query, account } = scope
  const renamed = await mailboxNamed(scope, from)
  if (renamed === null) throw new NoSuchMailbox('no such mailbox')
  if (isInferior(to, from)) throw new MailboxRefused('a mailbox cannot become its own inferior')
  const inferiors = await namedBetween(query, { account, ...namesBelow(from) })
  const moved = [{ mailbox_id: renamed, name: from }, ...inferiors].map(({ mailbox_id: mailbox, name }) => ({
    mailbox,
    name: to + name.slice(from.length),
  }))
  for (const { name } of moved)
    if ((await mailboxNamed(scope, name)) !== null) throw new MailboxExists('a mailbox of that name exists')
  for (const { mailbox, name } of moved) await rename(query, { account, mailbox, name })
  await addSuperiors(scope, to, now)
  return renamed
}

/** `0` comes after the delimiter. */
function namesBelow(name: MailboxName): { readonly first: MailboxName; readonly end: MailboxName } {
  return { first: `${name}/`, end: `${name}0` }
}
