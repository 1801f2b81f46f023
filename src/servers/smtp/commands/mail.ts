import type { Command } from '#formats/smtp/command.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { type Conversation, outOfOrder } from '../conversation.ts'

/** MAIL (RFC 5321 §4.1.1.2): begins a transaction. On submission the author must have logged in (RFC 6409 §4.3). */
export async function mail(talk: Conversation, command: Extract<Command, { verb: 'MAIL' }>): Promise<Reply> {
  const { reversePath, parameters } = command
  const { limits, memory } = talk.service
  if (talk.role === 'submission' && !talk.session) {
    // RFC 3207 §4, RFC 4954 §6
    const words = talk.wire.tls ? 'Authentication required' : 'Must issue a STARTTLS command first'
    throw new SmtpError(reply(530, '5.7.0', words))
  }
  if (!talk.helo) throw outOfOrder(talk.role === 'lmtp' ? 'Say LHLO first' : 'Say EHLO first')
  if (talk.transaction) throw outOfOrder('A message is under way already') // RFC 5321 §4.1.4
  // RFC 1870 §6.1
  if ((parameters.size ?? 0) > limits.messageSize) throw new SmtpError(reply(552, '5.3.4', 'Message is too big'))
  const refusal = (await talk.session?.checkSender(reversePath)) ?? null
  if (refusal) throw new SmtpError(refusal)
  const hold = memory.hold()
  talk.transaction = {
    reversePath,
    parameters,
    hold,
    recipients: [],
    peer: talk.peer(parameters.smtputf8),
    chunks: null,
    [Symbol.dispose]: () => hold[Symbol.dispose](),
  }
  return reply(250, '2.1.0', 'Sender OK')
}
