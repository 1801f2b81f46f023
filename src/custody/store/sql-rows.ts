/** Rows of messages by the thousand: what FETCH of flags and SEARCH ask of whole mailboxes. */
import type { CompiledQuery } from 'kysely'
import type { SqliteDatabase } from '#lib/sqlite.ts'
import { decodeFlags } from './flags.ts'
import type { MailboxId, MessageRow, Uid } from './mail-store.ts'
import type { StoreSchema } from './schema.ts'
import { ROWS_GAP } from './sql-messages.ts'
import { runsOf, sortedUids, type UidRun } from './uid-sets.ts'

interface Rows {
  readonly db: SqliteDatabase<StoreSchema>
  readonly account: number
}

type Row = readonly [uid: number, modseq: number, date: number, flags: number, keywords: string, size: number]

/** Compiled once: its parameters are the account, the mailbox, and the first and last uid. */
let compiled: CompiledQuery | null = null

function inRun({ db, account }: Rows, mailbox: MailboxId, { first, last }: UidRun): Promise<readonly Row[]> {
  const parameters = [account, mailbox, first, last]
  compiled ??= db.query
    .selectFrom('message')
    .select(['uid', 'modseq', 'internal_date', 'flags', 'keywords', 'size'])
    .where('account_id', '=', account)
    .where('mailbox_id', '=', mailbox)
    .where('uid', '>=', first)
    .where('uid', '<=', last)
    .orderBy('uid')
    .compile()
  return db.arrays({ ...compiled, parameters }) as unknown as Promise<readonly Row[]>
}

/** In the order asked for; null for a uid that is gone. Rows with the same flags share them. */
export async function readRows(
  rows: Rows,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<readonly (MessageRow | null)[]> {
  const sorted = sortedUids(uids)
  const found = new Array<MessageRow | null>(sorted.length).fill(null)
  const flagsOf = sharedFlags()
  let at = 0
  for (const run of runsOf(sorted, ROWS_GAP))
    for (const [uid, modseq, date, flags, keywords, size] of await inRun(rows, mailbox, run)) {
      while (sorted[at]! < uid) at++
      if (sorted[at] !== uid) continue
      found[at] = { uid, modseq, internalDate: date * 1000, flags: flagsOf(flags, keywords), paddedSize: size }
    }
  if (sorted === uids) return found
  const byUid = new Map(sorted.map((uid, index) => [uid, found[index]!]))
  return uids.map((uid) => byUid.get(uid) ?? null)
}

function sharedFlags(): (system: number, keywords: string) => readonly string[] {
  const known = new Map<string, readonly string[]>()
  return (system, keywords) => {
    if (keywords === '') return decodeFlags({ system, keywords })
    const name = `${system} ${keywords}`
    let flags = known.get(name)
    if (!flags) {
      flags = decodeFlags({ system, keywords })
      known.set(name, flags)
    }
    return flags
  }
}
