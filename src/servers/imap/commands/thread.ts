import type { ThreadCommand } from '#formats/imap/command.ts'
import { formatThreads } from '#formats/imap/search-response.ts'
import { baseSubject } from '#formats/message/base-subject.ts'
import { collated } from '#formats/message/collation.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { threadId, threadReferences } from '#formats/message/thread-references.ts'
import { type ThreadMessage, threadByReferences, threadBySubject } from '#formats/message/thread-tree.ts'
import { Turn } from '#lib/turn.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'
import { begin, named } from '../search/ask.ts'
import type { SearchGround } from '../search/search-ground.ts'
import { matchingPlaces } from '../search/search-mailbox.ts'
import { internalDates, sentTime, summariesAt } from '../search/sort-places.ts'

const ALGORITHMS = new Map([
  ['REFERENCES', threadByReferences],
  ['ORDEREDSUBJECT', threadBySubject],
])

/** RFC 5256 §3. */
export async function thread(talk: Conversation, command: ThreadCommand): Promise<Completion> {
  const algorithm = ALGORITHMS.get(command.algorithm)
  if (!algorithm) throw bad('This algorithm is not supported')
  const ground = begin(talk, command)
  const places = await matchingPlaces(ground, command.key)
  const messages = await threadMessages(ground, places, named(talk.mailbox, places, command.uid))
  talk.untagged(formatThreads(await new Turn(talk.context.clock).over(algorithm(messages))))
  return done('Threaded')
}

/** A message that is gone by now stands alone, without a subject. */
async function threadMessages(
  ground: SearchGround,
  places: readonly number[],
  numbers: readonly number[],
): Promise<ThreadMessage[]> {
  const messages: { -readonly [K in keyof ThreadMessage]: ThreadMessage[K] }[] = []
  const undated: number[] = []
  for await (const summary of summariesAt(ground, places)) {
    const sent = sentTime(summary?.envelope.date ?? null)
    if (sent === null) undated.push(messages.length)
    messages.push({ number: numbers[messages.length]!, sent: sent ?? 0, ...threadFacts(summary) })
  }
  const dates = await internalDates(
    ground,
    undated.map((at) => places[at]!),
  )
  for (const [at, date] of dates.entries()) messages[undated[at]!]!.sent = date
  return messages
}

function threadFacts(summary: MessageSummary | null): Omit<ThreadMessage, 'number' | 'sent'> {
  if (!summary) return { id: null, references: [], subject: '', isReply: false }
  const { text, isReply } = baseSubject(summary.envelope.subject ?? null)
  return { id: threadId(summary), references: threadReferences(summary), subject: collated(text), isReply }
}
