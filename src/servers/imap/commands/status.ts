import type { Mailbox, MailboxStatus } from '#custody/store/mail-store.ts'
import type { Command, StatusAttribute } from '#formats/imap/command.ts'
import { formatStatus } from '#formats/imap/mailbox-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { mailboxId } from '../mailbox-name.ts'
import { UidRuns } from '../uid-runs.ts'

/** RFC 3501 §6.3.10. */
export async function status(talk: Conversation, command: Command & { kind: 'status' }): Promise<Completion> {
  understandModseq(talk, command.attributes)
  talk.untagged(await statusOf(talk, await talk.existing(command.mailbox), command.attributes))
  return done('Told')
}

/** RFC 7162 §3.1: who asks for HIGHESTMODSEQ understands it. */
export function understandModseq(talk: Conversation, attributes: readonly StatusAttribute[]): void {
  if (attributes.includes('highestModseq')) talk.enableCondstore()
}

/** The STATUS response without its star. Throws NoSuchMailbox. */
export async function statusOf(
  talk: Conversation,
  mailbox: Mailbox,
  attributes: readonly StatusAttribute[],
): Promise<string> {
  const figures = await talk.mail.status(mailbox.id)
  const told: [string, number | string][] = []
  for (const attribute of attributes) told.push(await figureOf(talk, mailbox, figures, attribute))
  return formatStatus(talk.name(mailbox.name), told)
}

async function figureOf(
  talk: Conversation,
  mailbox: Mailbox,
  figures: MailboxStatus,
  attribute: StatusAttribute,
): Promise<[string, number | string]> {
  switch (attribute) {
    case 'messages':
      return ['MESSAGES', figures.messages]
    case 'recent':
      return ['RECENT', await recentIn(talk, mailbox, figures)]
    case 'uidNext':
      return ['UIDNEXT', figures.uidNext]
    case 'uidValidity':
      return ['UIDVALIDITY', figures.uidValidity]
    case 'unseen':
      return ['UNSEEN', figures.unseen]
    case 'highestModseq':
      return ['HIGHESTMODSEQ', figures.highestModseq]
    case 'size':
      // RFC 8438 §3: not smaller than the sum of RFC822.SIZE; the exact sizes are sealed.
      return ['SIZE', figures.size]
    case 'deleted':
      // RFC 9051 §6.3.11
      return ['DELETED', figures.deleted]
    case 'deletedStorage':
      return ['DELETED-STORAGE', figures.deleted === 0 ? 0 : await deletedIn(talk, mailbox)]
    case 'mailboxId':
      // RFC 8474 §4.3
      return ['MAILBOXID', `(${mailboxId(mailbox)})`]
    case 'appendLimit':
      // RFC 7889 §3.2
      return ['APPENDLIMIT', talk.context.limits.messageSize]
  }
}

/** RFC 9208 §4.1.4: octets that would be free after EXPUNGE. */
async function deletedIn({ mail }: Conversation, mailbox: Mailbox): Promise<number> {
  let octets = 0
  for (const { flags, paddedSize } of await mail.list(mailbox.id)) if (flags.includes('\\Deleted')) octets += paddedSize
  return octets
}

async function recentIn(talk: Conversation, mailbox: Mailbox, figures: MailboxStatus): Promise<number> {
  if (talk.selected?.id === mailbox.id) return talk.selected.view.recentCount
  const { recent } = talk.context
  const account = talk.session.account.id
  const known = recent.known(account, mailbox.id)
  if (known !== null && figures.uidNext - 1 <= known) return 0
  const { present } = await talk.mail.overview(mailbox.id)
  const uids = new UidRuns(present!)
  return uids.length - uids.placeFrom((await recent.mark(talk.mail, account, mailbox.id, uids)) + 1)
}
