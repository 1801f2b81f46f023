import type { FlagsChanged, MessageRow, Uid } from '#custody/store/mail-store.ts'
import type { StoreCommand } from '#formats/imap/command.ts'
import { formatSequenceSet } from '#formats/imap/sequence-set.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'
import { uidsOf } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'
import { UidRuns } from '../uid-runs.ts'

/** RFC 3501 §6.4.6; with UNCHANGEDSINCE, RFC 7162 §3.1.3. */
export async function store(talk: Conversation, command: StoreCommand): Promise<Completion> {
  const mailbox = talk.writable
  if (command.unchangedSince !== null) talk.enableCondstore()
  const uids = uidsOf(mailbox, command.set, command.uid)
  // \Recent is the server's own (RFC 3501 §2.3.2).
  const change = { mode: command.mode, flags: command.flags.filter((flag) => flag.toLowerCase() !== '\\recent') }
  if (command.unchangedSince !== null) {
    const answer = await mailbox.setFlags(uids, { ...change, unchangedSince: command.unchangedSince }, command.silent)
    tell(talk, command, answer.rows)
    return completed(talk, command, uids, answer)
  }
  if (!command.silent) {
    const { rows } = await mailbox.setFlags(uids, change)
    tell(talk, command, rows)
    return completed(talk, command, uids, { rows, spared: [] })
  }
  // A silent client believes to know the flags: where somebody else changed them meanwhile it is told all the same.
  const believed = await mailbox.setFlags(uids, { ...change, unchangedSince: mailbox.modseq }, true)
  tell(talk, command, believed.rows)
  if (believed.spared.length === 0) return completed(talk, command, uids, believed)
  const { rows } = await mailbox.setFlags(believed.spared, change)
  talk.wire.send(mailbox.tellFlags(rows, command.uid))
  return completed(talk, command, uids, { rows: [...believed.rows, ...rows], spared: [] })
}

/** RFC 7162 §3.1: who knows of MODSEQ hears it also when it wants to hear nothing else. */
function tell({ mailbox, wire }: Conversation, { silent, uid }: StoreCommand, rows: readonly MessageRow[]): void {
  if (!silent) wire.send(mailbox.tellFlags(rows, uid))
  else if (mailbox.manner.modseq) wire.send(mailbox.tellModseqs(rows, uid))
}

async function completed(
  talk: Conversation,
  { uid }: StoreCommand,
  uids: readonly Uid[],
  { rows, spared }: Pick<FlagsChanged, 'rows' | 'spared'>,
): Promise<Completion> {
  const code = spared.length > 0 ? modified(talk.mailbox, spared, uid) : null
  // What was spared may have changed a moment ago.
  if (code !== null) await talk.mailbox.look()
  if (!uid && rows.length + spared.length < uids.length)
    throw no(code ?? 'EXPUNGEISSUED', 'Some of these messages are gone')
  return done(code === null ? 'Stored' : 'Stored, but for some that have changed', code)
}

/** RFC 7162 §3.1.3 */
function modified({ view }: SelectedMailbox, spared: readonly Uid[], byUid: boolean): string {
  const numbers = byUid ? spared : spared.map((uid) => view.indexOf(uid) + 1)
  return `MODIFIED ${formatSequenceSet([...UidRuns.ofUids(numbers).ranges()])}`
}
