import type { QresyncParameters, SelectCommand } from '#formats/imap/command.ts'
import { formatList } from '#formats/imap/mailbox-response.ts'
import { formatSequenceSet, resolveSequence } from '#formats/imap/sequence-set.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'
import { DELIMITER, mailboxId } from '../mailbox-name.ts'
import { uidRequired } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'
import { UidRuns } from '../uid-runs.ts'

/** SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2, RFC 9051 §6.3.2, RFC 7162 §3.1.8, §3.2.5). */
export async function select(talk: Conversation, command: SelectCommand): Promise<Completion> {
  const { enabled } = talk
  // RFC 7162 §3.2.5
  if (command.qresync && !enabled.has('QRESYNC')) throw bad('Enable QRESYNC first')
  // RFC 9586 §3.4
  if (command.qresync?.match && enabled.has('UIDONLY')) throw uidRequired()
  // A SELECT that fails leaves no mailbox selected.
  if (talk.selected) {
    talk.deselect()
    // RFC 7162 §3.2.11, RFC 9051 §6.3.2: what comes next is about another mailbox.
    if (enabled.has('QRESYNC') || enabled.has('IMAP4rev2')) talk.untagged('OK [CLOSED] The mailbox before is closed')
  }
  if (command.condstore) enabled.add('CONDSTORE')
  const readOnly = command.kind === 'examine'
  const mailbox = await talk.existing(command.mailbox)
  const selected = await talk.select(mailbox, readOnly)
  const { view, manner, firstUnseen } = selected
  const flags = selected.definedFlags().join(' ')
  talk.untagged(`FLAGS (${flags})`)
  talk.untagged(`${view.length} EXISTS`)
  if (!manner.rev2) talk.untagged(`${view.recentCount} RECENT`)
  const unseen = firstUnseen === null || manner.rev2 || manner.uidOnly ? -1 : view.indexOf(firstUnseen)
  if (unseen >= 0) talk.untagged(`OK [UNSEEN ${unseen + 1}] First message that was not read`)
  talk.untagged(`OK [PERMANENTFLAGS (${readOnly ? '' : `${flags} \\*`})] ${readOnly ? 'No changes here' : 'Kept'}`)
  talk.untagged(`OK [UIDVALIDITY ${selected.uidValidity}] UIDs are valid`)
  talk.untagged(`OK [UIDNEXT ${selected.uidNext}] Next UID`)
  // RFC 7162 §3.1.2.1: whether or not CONDSTORE is enabled.
  talk.untagged(`OK [HIGHESTMODSEQ ${selected.modseq}] Highest`)
  // RFC 8474 §4.3
  talk.untagged(`OK [MAILBOXID (${mailboxId(mailbox)})] Ok`)
  if (manner.rev2) {
    const listed = { attributes: [], delimiter: DELIMITER, name: talk.name(mailbox.name) }
    // RFC 9051 §6.3.2; INBOX is the same name in any case.
    const isOther = command.written !== undefined && mailbox.name !== 'INBOX'
    talk.untagged(formatList(isOther ? { ...listed, oldName: talk.name(command.written) } : listed))
  }
  if (command.qresync?.uidValidity === selected.uidValidity) await resync(talk, selected, command.qresync)
  return readOnly ? done('Selected for reading', 'READ-ONLY') : done('Selected', 'READ-WRITE')
}

/**
 * RFC 7162 §3.2.5: what happened since the client was here. Every uid that vanished is remembered, so the sequence match data, which
 * helps servers that do not remember, is not needed.
 */
async function resync(talk: Conversation, mailbox: SelectedMailbox, known: QresyncParameters): Promise<void> {
  const { changed, vanished } = await mailbox.changedSince(known.modseq)
  const knows = UidRuns.of(resolveSequence(known.knownUids ?? ALL, mailbox.uidNext - 1))
  const gone = vanished.within([...knows.ranges()])
  if (gone.length > 0) talk.untagged(`VANISHED (EARLIER) ${formatSequenceSet([...gone.ranges()])}`)
  const among = known.knownUids === null ? changed : changed.filter(({ uid }) => knows.has(uid))
  talk.wire.send(mailbox.tellFlags(among, true))
}

const ALL = [{ first: 1, last: Number.POSITIVE_INFINITY }]
