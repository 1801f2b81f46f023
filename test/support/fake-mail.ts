/** Messages and recipients for tests of the mail agents, written briefly. */
import type { QueuedMail } from '#agents/queue/queue.ts'
import { type Address, parseAddress } from '#formats/message/address.ts'
import type { Envelope, EnvelopeRecipient } from '#formats/message/envelope.ts'

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`no address: ${text}`)
  return parsed
}

export function recipient(text: string, wishes: Partial<EnvelopeRecipient> = {}): EnvelopeRecipient {
  return { address: address(text), notify: null, orcpt: null, ...wishes }
}

export function envelope(
  from: string | null,
  to: readonly (string | EnvelopeRecipient)[],
  rest: Partial<Envelope> = {},
): Envelope {
  return {
    reversePath: from === null ? null : address(from),
    recipients: to.map((one) => (typeof one === 'string' ? recipient(one) : one)),
    smtputf8: false,
    ret: null,
    envid: null,
    ...rest,
  }
}

export const LETTER = [
  'From: anna@alpha.test',
  'To: bob@beta.test',
  'Subject: greetings',
  'Date: Mon, 02 Nov 2026 12:00:00 +0000',
  'Message-ID: <1@alpha.test>',
  '',
  'Dear Bob,',
  '.a line with a dot in front',
  '.',
  'yours, Anna',
  '',
].join('\r\n')

export function queuedMail(sent: Envelope, rest: Partial<QueuedMail> = {}): QueuedMail {
  return { queueId: 'q1', envelope: sent, content: Buffer.from(LETTER), arrived: Date.UTC(2026, 10, 2, 12), ...rest }
}
