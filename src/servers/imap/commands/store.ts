import type { Uid } from '#custody/store/mail-store.ts'
import type { StoreCommand } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { changedFlags } from '../flag-set.ts'
import { bad, no } from '../imap-error.ts'
import { uidsOf } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'

/** RFC 3501 §6.4.6. */
export async function store(talk: Conversation, command: StoreCommand): Promise<Completion> {
  if (command.unchangedSince !== null) throw bad('No such modifier')
  const mailbox = talk.writable
  const uids = uidsOf(mailbox, command.set, command.uid)
  // \Recent is the server's own (RFC 3501 §2.3.2).
  const flags = command.flags.filter((flag) => flag.toLowerCase() !== '\\recent')
  const expected = command.silent ? expectations(mailbox, uids, command.mode, flags) : null
  const { rows } = await mailbox.mail.setFlags(mailbox.id, uids, { mode: command.mode, flags })
  mailbox.update(rows)
  const told = expected === null ? rows : rows.filter(({ uid }) => !isExpected(mailbox, uid, expected))
  const answers = told.map(({ uid }) => uid)
  talk.wire.send(mailbox.tellFlags(answers, command.uid))
  if (!command.uid && rows.length < uids.length) throw no('EXPUNGEISSUED', 'Some of these messages are gone')
  return done('Stored')
}

/** What a silent client believes the flags to be afterwards; where somebody else changed them too it is told all the same. */
function expectations(
  { view }: SelectedMailbox,
  uids: readonly Uid[],
  mode: StoreCommand['mode'],
  flags: readonly string[],
): Map<Uid, ReadonlySet<string>> {
  return new Map(uids.map((uid) => [uid, changedFlags(view.flagsAt(view.indexOf(uid)), mode, flags)]))
}

function isExpected({ view }: SelectedMailbox, uid: Uid, expected: Map<Uid, ReadonlySet<string>>): boolean {
  const actual = view.flagsAt(view.indexOf(uid)).folded
  const believed = expected.get(uid)
  return believed !== undefined && believed.size === actual.size && [...actual].every((flag) => believed.has(flag))
}
