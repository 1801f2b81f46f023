import { DataReader } from '#formats/smtp/message-reader.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { readData } from '../content.ts'
import { type Conversation, noRecipients, outOfOrder } from '../conversation.ts'
import { handOver } from '../hand-over.ts'

/** DATA (RFC 5321 §4.1.1.4). */
export async function data(talk: Conversation): Promise<readonly Reply[]> {
  const { recipients, chunks, hold } = talk.transactionFor('DATA')
  if (chunks) throw outOfOrder('DATA cannot follow BDAT') // RFC 3030 §2
  if (recipients.length === 0) throw new SmtpError(noRecipients(talk.role))
  talk.wire.say(reply(354, null, 'End data with <CR><LF>.<CR><LF>'))
  const reader = new DataReader(talk.service.limits.messageSize)
  await readData(talk, reader, hold)
  return await handOver(talk, reader.finish())
}
