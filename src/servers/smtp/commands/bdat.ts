import type { Command } from '#formats/smtp/command.ts'
import { ChunkReader } from '#formats/smtp/message-reader.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { readChunk } from '../content.ts'
import { type Conversation, noRecipients, outOfOrder } from '../conversation.ts'
import { handOver, unacceptableReply } from '../hand-over.ts'

/**
 * BDAT (RFC 3030 §2). The octets of the chunk follow the command whatever we think of it, so they are always read before
 * anything is said: the next command begins after them.
 */
export async function bdat(talk: Conversation, command: Extract<Command, { verb: 'BDAT' }>): Promise<readonly Reply[]> {
  const { size, last } = command
  const { transaction } = talk
  if (!transaction || transaction.recipients.length === 0) {
    await readChunk(talk, size, null)
    throw transaction ? new SmtpError(noRecipients(talk.role)) : outOfOrder('BDAT needs MAIL first')
  }
  const reader = transaction.chunks ?? new ChunkReader(talk.service.limits.messageSize)
  transaction.chunks = reader
  await readChunk(talk, size, { reader, hold: transaction.hold })
  if (last) return await handOver(talk, reader.finish())
  if (reader.unacceptable) return [unacceptableReply(reader.unacceptable)]
  return [reply(250, '2.0.0', `${size} octets received`)]
}
