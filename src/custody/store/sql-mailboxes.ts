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
import type { AccountScope } from './schema.ts'
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
const subscribedNames = prepare((query, given: { account: number }) =>
  query.selectFrom('subscription').select('name').where('account_id', '=', given.account),
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
  const subscribed = new Set(await readSubscriptions(scope))
  const rows = await all(scope.query, { account: scope.account })
  return rows
    .map((row) => ({
      id: row.mailbox_id,
      name: row.name,
      uidValidity: row.uidvalidity,
      subscribed: subscribed.has(row.name),
      specialUse: row.special_use,
    }))
    .sort(byName)
}

export async function readSubscriptions({ query, account }: AccountScope): Promise<readonly MailboxName[]> {
  return (await subscribedNames(query, { account })).map((row) => row.name).sort()
}

export async function setSubscription(
  { query, account }: AccountScope,
  name: MailboxName,
  subscribed: boolean,
): Promise<void> {
  if (subscribed) {
    if ((await subscribedNames(query, { account })).length >= MAILBOXES_PER_ACCOUNT)
      throw new TooManyMailboxes('too many subscriptions')
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
  const existing = await all(query, { account })
  if (existing.some((row) => row.name === name)) throw new MailboxExists('the mailbox exists')
  if (existing.length >= MAILBOXES_PER_ACCOUNT) throw new TooManyMailboxes('too many mailboxes')
  if (specialUse && existing.some((row) => row.special_use === specialUse))
    throw new MailboxRefused(`there is a mailbox for ${specialUse} already`)
  const { modseq } = await adjustAccount(scope, { contents: 0, used: 0 })
  const before = await query
    .selectFrom('account')
    .select(['mailbox_id', 'uidvalidity'])
    .where('account_id', '=', account)
    .executeTakeFirstOrThrow()
  const mailbox = before.mailbox_id + 1
  const uidvalidity = Math.max(before.uidvalidity + 1, Math.floor(now / 1000))
  await query
    .updateTable('account')
    .set({ mailbox_id: mailbox, uidvalidity })
    .where('account_id', '=', account)
    .execute()
  const numbers = {
    uidvalidity,
    uidnext: 1,
    highest_modseq: modseq,
    messages: 0,
    unseen: 0,
    deleted: 0,
    size: 0,
    vanished_room: 0,
  }
  await query
    .insertInto('mailbox')
    .values({ account_id: account, mailbox_id: mailbox, name, special_use: specialUse, ...numbers })
    .execute()
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
  const existing = await all(query, { account })
  const renamed = existing.find((row) => row.name === from)
  if (!renamed) throw new NoSuchMailbox('no such mailbox')
  if (isInferior(to, from)) throw new MailboxRefused('a mailbox cannot become its own inferior')
  const moved = existing.filter((row) => row === renamed || isInferior(row.name, from))
  const taken = new Set(existing.map((row) => row.name))
  const newName = (name: MailboxName) => to + name.slice(from.length)
  if (moved.some((row) => taken.has(newName(row.name)))) throw new MailboxExists('a mailbox of that name exists')
  for (const { mailbox_id, name } of moved)
    await query
      .updateTable('mailbox')
      .set({ name: newName(name) })
      .where('account_id', '=', account)
      .where('mailbox_id', '=', mailbox_id)
      .execute()
  await addSuperiors(scope, to, now)
  return renamed.mailbox_id
}
