/** A message that was read to its end goes to whoever is behind the server, and the transaction is over. */
import type { Envelope } from '#formats/message/envelope.ts'
import type { ReadMessage, Unacceptable } from '#formats/smtp/message-reader.ts'
import { isPositive, type Reply, reply } from '#formats/smtp/reply.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import type { Conversation, Transaction } from './conversation.ts'

const unacceptable: Readonly<Record<Unacceptable, Reply>> = {
  'bare-line-ending': reply(550, '5.6.11', 'Lines must end with CRLF; CR or LF alone is not allowed'),
  'too-big': reply(552, '5.3.4', 'Message is too big'),
  dropped: reply(452, '4.3.1', 'Too much mail at once, try later'),
}

export const unacceptableReply = (why: Unacceptable): Reply => unacceptable[why]

/** The reply to the message; for LMTP one for each recipient (RFC 2033 §4.2). Unexpected errors are ours: 451, never a bounce. */
export async function handOver(talk: Conversation, message: ReadMessage): Promise<readonly Reply[]> {
  const { service } = talk
  const transaction = talk.transactionFor('Content')
  const began = service.clock.now()
  const queueId = service.newQueueId()
  const replies = await answer(talk, transaction, queueId, message)
  talk.reset()
  talk.idleCommands = 0
  record(talk, transaction, {
    queueId,
    replies,
    size: message.kind === 'message' ? message.content.length : message.size,
    milliseconds: service.clock.now() - began,
  })
  return replies
}

async function answer(
  talk: Conversation,
  transaction: Transaction,
  queueId: string,
  message: ReadMessage,
): Promise<readonly Reply[]> {
  const { recipients } = transaction
  const same = (one: Reply) => (talk.role === 'lmtp' ? recipients.map(() => one) : [one])
  if (message.kind === 'unacceptable') return same(unacceptable[message.why])
  try {
    return await give(talk, transaction, queueId, message.content)
  } catch (error) {
    talk.service.log.error({ queueId, role: talk.role, error: error as Error }, 'message could not be taken')
    return same(isDiskFull(error) ? reply(452, '4.3.1', 'Storage is full, try later') : ourFault())
  }
}

/** Something broke that is not the client's fault. */
export const ourFault = (): Reply => reply(451, '4.3.0', 'Local trouble, try later')

async function give(
  talk: Conversation,
  { reversePath, recipients, parameters, peer }: Transaction,
  queueId: string,
  content: Buffer,
): Promise<readonly Reply[]> {
  const { smtputf8, ret, envid } = parameters
  const envelope: Envelope = { reversePath, recipients, smtputf8, ret, envid }
  const { backend } = talk.service
  if (backend.role === 'submission') {
    if (!talk.session) throw new Error('a message without a login')
    return [await talk.session.submit({ queueId, peer, envelope, content })]
  }
  const mode = backend.role === 'lmtp' ? 'lmtp' : 'smtp'
  const replies = await backend.agent.receive({ queueId, peer, envelope, content, mode })
  if (replies.length !== recipients.length) throw new Error('the agent did not answer for every recipient')
  return mode === 'lmtp' ? replies : replies.slice(0, 1)
}

interface Received {
  readonly queueId: string
  readonly replies: readonly Reply[]
  readonly size: number
  readonly milliseconds: number
}

function record(talk: Conversation, { reversePath, recipients, peer }: Transaction, received: Received): void {
  const { log, metrics } = talk.service
  const { queueId, replies, size, milliseconds } = received
  const worst = replies.find((one) => !isPositive(one)) ?? replies[0]
  log.info(
    {
      queueId,
      role: talk.role,
      ip: peer.ip,
      from: reversePath,
      to: recipients.map((one) => one.address),
      size,
      tls: peer.tls?.version ?? null,
      code: worst?.code,
      status: worst?.enhanced,
      milliseconds,
    },
    'message received',
  )
  const taken = replies.some(isPositive)
  metrics.count('smtp_messages', { role: talk.role, result: taken ? 'taken' : 'refused' })
  for (const one of replies) if (!isPositive(one)) talk.refused(one)
}
