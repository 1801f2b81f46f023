import type { Mailbox, MailboxStatus } from '#custody/store/mail-store.ts'
import type { Command, StatusAttribute } from '#formats/imap/command.ts'
import { formatMailbox } from '#formats/imap/writer.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'

/** RFC 3501 §6.3.10. */
export async function status(talk: Conversation, command: Command & { kind: 'status' }): Promise<Completion> {
  talk.untagged(await statusOf(talk, await talk.existing(command.mailbox), command.attributes))
  return done('Told')
}

/** The STATUS response without its star. */
export async function statusOf(
  talk: Conversation,
  mailbox: Mailbox,
  attributes: readonly StatusAttribute[],
): Promise<string> {
  const figures = await talk.mail.status(mailbox.id)
  const told: string[] = []
  for (const attribute of attributes) {
    if (attribute === 'messages') told.push(`MESSAGES ${figures.messages}`)
    else if (attribute === 'recent') told.push(`RECENT ${await recentIn(talk, mailbox, figures)}`)
    else if (attribute === 'uidNext') told.push(`UIDNEXT ${figures.uidNext}`)
    else if (attribute === 'uidValidity') told.push(`UIDVALIDITY ${figures.uidValidity}`)
    else if (attribute === 'unseen') told.push(`UNSEEN ${figures.unseen}`)
    else throw bad('No such status attribute')
  }
  return `STATUS ${formatMailbox(mailbox.name)} (${told.join(' ')})`
}

async function recentIn(talk: Conversation, mailbox: Mailbox, figures: MailboxStatus): Promise<number> {
  if (talk.selected?.id === mailbox.id) return talk.selected.view.recentCount
  const { recent } = talk.context
  const account = talk.session.account.id
  const known = recent.known(account, mailbox.id)
  if (known !== null && figures.uidNext - 1 <= known) return 0
  const rows = await talk.mail.list(mailbox.id)
  const mark = recent.mark(account, mailbox.id, rows)
  return rows.filter(({ uid }) => uid > mark).length
}
