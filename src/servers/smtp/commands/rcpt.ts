import type { Address } from '#formats/message/address.ts'
import type { Command } from '#formats/smtp/command.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { type Conversation, outOfOrder, type Transaction } from '../conversation.ts'
import { Hangup } from '../wire.ts'

/** RCPT (RFC 5321 §4.1.1.3): who is not ours is refused here, so that nothing has to be bounced later. */
export async function rcpt(talk: Conversation, command: Extract<Command, { verb: 'RCPT' }>): Promise<Reply> {
  const transaction = talk.transactionFor('RCPT')
  const { recipients, parameters } = transaction
  if (transaction.chunks) throw outOfOrder('The message has begun') // RFC 3030 §2
  const { limits, postmaster } = talk.service
  if (recipients.length >= limits.recipients) return reply(452, '4.5.3', 'Too many recipients') // RFC 5321 §4.5.3.1.10
  const recipient = isPostmaster(command.recipient, talk.service.hostname) ? postmaster : command.recipient
  // RFC 6531 §3.5
  if (!parameters.smtputf8 && /[^\x00-\x7f]/.test(recipient.local + recipient.domain)) {
    throw new SmtpError(reply(553, '5.6.7', 'Such an address needs the SMTPUTF8 parameter'))
  }
  const refusal = await check(talk, transaction, recipient)
  if (!refusal) {
    recipients.push({ address: recipient, ...command.parameters })
    return reply(250, '2.1.5', 'Recipient OK')
  }
  if (refusal.code >= 500 && ++talk.refusedRecipients >= limits.refusedRecipients) {
    talk.refused(refusal)
    throw new Hangup('refused', reply(421, '4.7.0', 'Too many refused recipients'))
  }
  return refusal
}

/** RFC 5321 §4.5.1: `postmaster` alone and at our own name, which our reports to others are from. */
function isPostmaster({ local, domain }: Address, hostname: string): boolean {
  return domain === '' || (domain === hostname && local.toLowerCase() === 'postmaster')
}

async function check(talk: Conversation, { peer, parameters }: Transaction, recipient: Address): Promise<Reply | null> {
  const { backend } = talk.service
  if (backend.role !== 'submission') return await backend.agent.checkRecipient(recipient, peer, parameters.size)
  return (await talk.session?.checkRecipient(recipient)) ?? null
}
