/**
 * The MX agent: says at RCPT who is ours, and makes received mail durable before the server may say 250.
 *
 * Mail that cannot be delivered is refused while its sender is still on the line; accepting and bouncing later is left for
 * what only turns up in between. It never relays: only our own addresses are taken. It adds the Received field (RFC 5321
 * §4.4), ends loops by counting them (§6.3), and waits for nothing but the store. Authentication-Results fields that claim to be
 * ours are taken out (RFC 8601 §5), so that what mail programs believe is what we say.
 */
import type { Address } from '#formats/message/address.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'

/** The connection that a message came over, as its Received field tells it. */
export interface Peer {
  readonly ip: string
  /** What the client called itself in EHLO, HELO or LHLO. */
  readonly helo: string
  /** RFC 3848 and RFC 6531 §4.3 `with` keyword: SMTP, ESMTP, ESMTPS, LMTP, UTF8SMTPS, ESMTPSA ... */
  readonly protocol: string
  readonly tls: { readonly version: string; readonly cipher: string } | null
}

export interface ReceivedMail {
  readonly queueId: string
  readonly peer: Peer
  readonly envelope: Envelope
  /** As it came, dot-unstuffed, strictly CRLF, without our trace fields. */
  readonly content: Bytes
  /** lmtp: every recipient has an answer of its own. smtp: what cannot be delivered now is queued, if anything could. */
  readonly mode: 'smtp' | 'lmtp'
}

export interface InboundAgent {
  /** null: take it. Otherwise the reply to RCPT (550 5.1.1 unknown, 550 5.7.1 relaying denied, 550 5.2.1 suspended, 452 4.2.2 over quota ...). */
  checkRecipient(recipient: Address, peer: Peer, announcedSize: number | null): Promise<Reply | null>
  /** Durable for every recipient whose reply is positive. One reply per recipient, in order; in smtp mode all are the same one. */
  receive(mail: ReceivedMail): Promise<readonly Reply[]>
}
