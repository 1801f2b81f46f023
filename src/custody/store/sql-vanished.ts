/**
 * What vanished from a mailbox, and when: runs of uids with the MODSEQ of their going. The newest are kept as they happened. Older
 * ones that follow each other become one, which has the MODSEQ of the last of them: who comes back after long is told of uids that
 * went before, too, which RFC 7162 §3.2.5.1 allows, and nobody is told too little. Between two runs there is always a message that
 * is there or a run that is new, so the history is never much longer than the mailbox, whatever was removed over the years.
 */
import type { MailboxId } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { packRuns, type UidRun } from './uid-sets.ts'
import { yieldNow } from './yield-now.ts'

export interface History {
  /** The newest runs, which stay as they are. */
  readonly exact: number
  /** How many more are noted before older ones are joined, at least: it looks at all of them. */
  readonly slack: number
}

const HISTORY: History = { exact: 1024, slack: 4096 }

type Given = { account: number; mailbox: number }
type Run = Given & { modseq: number; first: number; last: number }

const insertRun = prepare((query, given: Run) =>
  query.insertInto('vanished').values({
    account_id: given.account,
    mailbox_id: given.mailbox,
    modseq: given.modseq,
    first_uid: given.first,
    last_uid: given.last,
  }),
)
const deleteRun = prepare((query, given: Given & { modseq: number; first: number }) =>
  query
    .deleteFrom('vanished')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '=', given.modseq)
    .where('first_uid', '=', given.first),
)
const takeRoom = prepare((query, given: Given & { runs: number }) =>
  query
    .updateTable('mailbox')
    .set((row) => ({ vanished_room: row('vanished_room', '-', given.runs) }))
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .returning('vanished_room as room'),
)
const giveRoom = prepare((query, given: Given & { room: number }) =>
  query
    .updateTable('mailbox')
    .set({ vanished_room: given.room })
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)
const newestBut = prepare((query, given: Given & { exact: number }) =>
  query
    .selectFrom('vanished')
    .select('modseq')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .orderBy('modseq', 'desc')
    .limit(1)
    .offset(given.exact),
)
const runsUntil = prepare((query, given: Given & { modseq: number }) =>
  query
    .selectFrom('vanished')
    .select(['modseq', 'first_uid as first', 'last_uid as last'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '<=', given.modseq)
    .orderBy('first_uid'),
)
const runsAfter = prepare((query, given: Given & { modseq: number }) =>
  query
    .selectFrom('vanished')
    .select(['first_uid as first', 'last_uid as last'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('modseq', '>', given.modseq),
)

/** Notes that they vanished just now: `modseq` is the account's newest. */
export async function noteVanished(
  scope: AccountScope,
  mailbox: MailboxId,
  { runs, modseq }: { readonly runs: readonly UidRun[]; readonly modseq: number },
  history = HISTORY,
): Promise<void> {
  const { query, account } = scope
  for (const [index, { first, last }] of runs.entries()) {
    await insertRun(query, { account, mailbox, modseq, first, last })
    await yieldNow(index)
  }
  const [left] = await takeRoom(query, { account, mailbox, runs: runs.length })
  if (left && left.room < 0) await joinOlder(scope, mailbox, history)
}

/** Next time when there are twice as many, so that each run costs the same however many there are. */
async function joinOlder(scope: AccountScope, mailbox: MailboxId, { exact, slack }: History): Promise<void> {
  const { query, account } = scope
  const [newest] = await newestBut(query, { account, mailbox, exact })
  const older = newest ? await runsUntil(query, { account, mailbox, modseq: newest.modseq }) : []
  const groups = touching(older)
  for (const [index, group] of groups.entries()) {
    await yieldNow(index)
    if (group.length === 1) continue
    for (const { modseq, first } of group) await deleteRun(query, { account, mailbox, modseq, first })
    const [{ first }, { last }] = [group[0]!, group.at(-1)!]
    const modseq = group.reduce((latest, run) => Math.max(latest, run.modseq), 0)
    await insertRun(query, { account, mailbox, modseq, first, last })
  }
  await giveRoom(query, { account, mailbox, room: Math.max(slack, groups.length) })
}

/** Runs (ascending) that follow each other without a uid in between, together. */
function touching<R extends UidRun>(runs: readonly R[]): readonly (readonly R[])[] {
  const groups: R[][] = []
  for (const run of runs) {
    const group = groups.at(-1)
    if (group?.at(-1)?.last === run.first - 1) group.push(run)
    else groups.push([run])
  }
  return groups
}

/** What vanished since, as pairs of first and last of each run, ascending; and it may be, if that is long ago, some that was gone by then. */
export async function readVanished(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  modseq: number,
): Promise<Uint32Array<ArrayBuffer>> {
  return packRuns(await runsAfter(query, { account, mailbox, modseq }))
}
