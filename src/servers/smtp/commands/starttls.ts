import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { type Conversation, outOfOrder } from '../conversation.ts'
import { Hangup } from '../wire.ts'

/** STARTTLS (RFC 3207). After it the client is a stranger: no word that was said in clear counts. */
export async function starttls(talk: Conversation): Promise<Reply | null> {
  const { service, wire } = talk
  if (wire.tls) throw outOfOrder('TLS is active already')
  if (!talk.helo) throw outOfOrder(talk.role === 'lmtp' ? 'Say LHLO first' : 'Say EHLO first')
  const context = service.tls()
  if (!context) throw new SmtpError(reply(502, '5.5.1', 'TLS is not offered here'))
  // What follows in clear was put there by somebody who hopes it will count after the handshake (CVE-2011-0411).
  if (wire.pending > 0) throw new Hangup('refused', reply(554, '5.5.1', 'Nothing may follow STARTTLS'))
  wire.say(reply(220, '2.0.0', 'Ready to start TLS'))
  talk.reset()
  talk.helo = null
  await wire.startTls(context, service.clock.now() + service.limits.handshakeMs)
  return null
}
