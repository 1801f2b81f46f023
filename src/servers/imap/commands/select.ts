import type { SelectCommand } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'

/** SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2). */
export async function select(talk: Conversation, command: SelectCommand): Promise<Completion> {
  if (command.condstore || command.qresync) throw bad('No such parameter')
  // A SELECT that fails leaves no mailbox selected.
  talk.deselect()
  const readOnly = command.kind === 'examine'
  const selected = await talk.select(await talk.existing(command.mailbox), readOnly)
  const { view } = selected
  const flags = selected.definedFlags().join(' ')
  talk.untagged(`FLAGS (${flags})`)
  talk.untagged(`${view.length} EXISTS`)
  talk.untagged(`${view.recentCount} RECENT`)
  const unseen = view.firstUnseen()
  if (unseen !== null) talk.untagged(`OK [UNSEEN ${unseen}] First message that was not read`)
  talk.untagged(`OK [PERMANENTFLAGS (${readOnly ? '' : `${flags} \\*`})] ${readOnly ? 'No changes here' : 'Kept'}`)
  talk.untagged(`OK [UIDVALIDITY ${selected.uidValidity}] UIDs are valid`)
  talk.untagged(`OK [UIDNEXT ${selected.uidNext}] Next UID`)
  return readOnly ? done('Selected for reading', 'READ-ONLY') : done('Selected', 'READ-WRITE')
}
