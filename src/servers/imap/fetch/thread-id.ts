import { createHash } from 'node:crypto'
import { messageIdsIn } from '#formats/message/message-ids.ts'
import type { MessageSummary } from '#formats/message/summary.ts'

/**
 * THREADID (RFC 8474 §5.2): the same for all messages that name the same first message of their conversation. null for a message
 * that names none and has no Message-ID.
 */
export function threadIdOf({ references, envelope }: MessageSummary): string | null {
  for (const field of [references, envelope.inReplyTo, envelope.messageId]) {
    const [first] = field === null ? [] : messageIdsIn(field)
    if (first !== undefined) return `T${createHash('sha256').update(first, 'latin1').digest('hex').slice(0, 32)}`
  }
  return null
}
