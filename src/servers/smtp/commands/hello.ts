import type { Command } from '#formats/smtp/command.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import type { Conversation } from '../conversation.ts'

type Hello = Extract<Command, { verb: 'EHLO' | 'HELO' | 'LHLO' }>

/** EHLO, HELO and LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1): ends a transaction, offers what the server can do now. */
export function hello(talk: Conversation, { verb, name }: Hello): Reply {
  // RFC 2033 §4.1: LHLO instead of both others, never beside them.
  if ((talk.role === 'lmtp') !== (verb === 'LHLO')) {
    throw new SmtpError(reply(500, '5.5.1', talk.role === 'lmtp' ? 'This is LMTP: say LHLO' : 'This is SMTP: say EHLO'))
  }
  talk.reset()
  talk.helo = { name, verb }
  const { hostname } = talk.service
  return verb === 'HELO' ? reply(250, null, hostname) : reply(250, null, hostname, ...offers(talk))
}

function offers(talk: Conversation): string[] {
  const { limits, backend } = talk.service
  const offered = [
    'PIPELINING', // RFC 2920
    `SIZE ${limits.messageSize}`, // RFC 1870
    '8BITMIME', // RFC 6152
    'SMTPUTF8', // RFC 6531
    'ENHANCEDSTATUSCODES', // RFC 2034
    'CHUNKING', // RFC 3030
    'DSN', // RFC 3461
    `LIMITS RCPTMAX=${limits.recipients}`, // RFC 9422
  ]
  // RFC 3207 §4.2: not offered again within TLS.
  if (!talk.wire.tls && talk.service.tls()) offered.push('STARTTLS')
  // RFC 4954 §4: a mechanism that shows the password needs TLS.
  if (backend.role === 'submission' && talk.wire.tls && !talk.session) {
    offered.push(`AUTH PLAIN LOGIN${backend.desk.offersScram(talk.wire.ip) ? ' SCRAM-SHA-256' : ''}`)
  }
  return offered
}
