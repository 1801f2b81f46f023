/** Changes of flags. Messages beside each other that change alike are one step of the database. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { applyFlags, encodeFlags, sameFlags } from './flags.ts'
import type { FlagChange, FlagsChanged, MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { adjustAccount, adjustMailbox } from './sql-counters.ts'
import { learnKeywords } from './sql-keywords.ts'
import { readStatus } from './sql-mailboxes.ts'
import { countsOf, messagesOf, rowOf, type StoredMessage } from './sql-messages.ts'
import { runsOf, sortedUids, type UidRun } from './uid-sets.ts'
import { yieldNow } from './yield-now.ts'

interface Change {
  readonly account: number
  readonly mailbox: number
  readonly modseq: number
  readonly flags: number
  readonly keywords: string
}

const updateOne = prepare((query, given: Change & { readonly uid: number }) =>
  query
    .updateTable('message')
    .set({ modseq: given.modseq, flags: given.flags, keywords: given.keywords })
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const updateAlike = prepare(
  (query, given: Change & UidRun & { readonly oldFlags: number; readonly oldKeywords: string }) =>
    query
      .updateTable('message')
      .set({ modseq: given.modseq, flags: given.flags, keywords: given.keywords })
      .where('account_id', '=', given.account)
      .where('mailbox_id', '=', given.mailbox)
      .where('uid', '>=', given.first)
      .where('uid', '<=', given.last)
      .where('flags', '=', given.oldFlags)
      .where('keywords', '=', given.oldKeywords),
)

interface Changes {
  readonly old: readonly StoredMessage[]
  /** The same messages, as they are to be. */
  readonly changed: readonly StoredMessage[]
  /** Whatever is in one of these and is like one that changes, changes as that one does. */
  readonly runs: readonly UidRun[]
}

/** Throws NoSuchMailbox, TooManyFlags. */
export async function setFlags(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
  change: FlagChange,
): Promise<FlagsChanged> {
  const given = encodeFlags(change.flags)
  const limit = change.unchangedSince ?? Number.POSITIVE_INFINITY
  const { highestModseq } = await readStatus(scope, mailbox)
  const found = await messagesOf(scope, mailbox, uids)
  const spared = found.filter((message) => message.modseq > limit).map(({ uid }) => uid)
  const rest = found.filter((message) => message.modseq <= limit)
  const next = rest.map((message) => changedMessage(message, change.mode, given))
  const old = rest.filter((message, i) => message !== next[i])
  const changed = next.filter((message, i) => message !== rest[i])
  const runs = spared.length > 0 ? [] : shortRuns(sortedUids(uids))
  const after = changed.length > 0 ? await storeFlags(scope, mailbox, { old, changed, runs }) : highestModseq
  return { rows: next.map(rowOf), spared, before: highestModseq, after }
}

/** The message itself when nothing changes. */
function changedMessage(
  message: StoredMessage,
  mode: FlagChange['mode'],
  given: ReturnType<typeof encodeFlags>,
): StoredMessage {
  const before = { system: message.flags, keywords: message.keywords }
  const after = applyFlags(before, mode, given)
  return sameFlags(before, after) ? message : { ...message, flags: after.system, keywords: after.keywords }
}

/** Answers the MODSEQ of the change. */
async function storeFlags(scope: AccountScope, mailbox: MailboxId, changes: Changes): Promise<number> {
  const { old, changed, runs } = changes
  const { modseq } = await adjustAccount(scope, { contents: 0, used: 0 })
  const [gone, come] = [countsOf(old, -1), countsOf(changed, 1)]
  await adjustMailbox(scope, {
    mailbox,
    modseq,
    uids: 0,
    messages: 0,
    unseen: gone.unseen + come.unseen,
    deleted: gone.deleted + come.deleted,
    size: 0,
  })
  await learnKeywords(scope, mailbox, changed)
  for (const message of changed) message.modseq = modseq
  const alike = new Map<string, number>()
  for (const [index, message] of changed.entries()) alike.set(likeness(old[index]!, message), index)
  if (runs.length > 0 && runs.length * alike.size * STEP_WORTH <= changed.length)
    await updateRuns(scope, mailbox, changes, [...alike.values()])
  else await updateEach(scope, mailbox, changed)
  return modseq
}

/** A step for a run costs as much as steps for so many messages. */
const STEP_WORTH = 4
/** Uids in one step: between two, others on this thread have their turn. */
const RUN = 4096

function shortRuns(uids: readonly Uid[]): readonly UidRun[] {
  return runsOf(uids, 1).flatMap(({ first, last }) =>
    Array.from({ length: Math.ceil((last - first + 1) / RUN) }, (_, index) => ({
      first: first + index * RUN,
      last: Math.min(first + (index + 1) * RUN - 1, last),
    })),
  )
}

const likeness = (old: StoredMessage, changed: StoredMessage) =>
  `${old.flags} ${changed.flags} ${old.keywords}\n${changed.keywords}`

/**
 * `examples` are indexes of messages, one of each kind that changes alike. What one kind becomes, none of the others was before:
 * the same change made twice changes nothing more.
 */
async function updateRuns(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  { old, changed, runs }: Changes,
  examples: readonly number[],
): Promise<void> {
  for (const run of runs) {
    for (const index of examples) {
      const { flags: oldFlags, keywords: oldKeywords } = old[index]!
      const { modseq, flags, keywords } = changed[index]!
      await updateAlike(query, { account, mailbox, ...run, modseq, flags, keywords, oldFlags, oldKeywords })
    }
    await nextTurn()
  }
}

async function updateEach(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  changed: readonly StoredMessage[],
): Promise<void> {
  for (const [index, { uid, modseq, flags, keywords }] of changed.entries()) {
    await updateOne(query, { account, mailbox, uid, modseq, flags, keywords })
    await yieldNow(index)
  }
}
