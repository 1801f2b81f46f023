/** Who a submitted message says it is from (RFC 5322 §3.6.2): nobody but its author, read in the only way it can be read. */
import type { Address } from '#formats/message/address.ts'
import { certainAddresses } from '#formats/message/certain-addresses.ts'
import { fieldValues, type Header } from '#formats/message/header.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'

const NO_FROM = reply(550, '5.7.1', 'the message needs exactly one From field')
const BAD_FROM = reply(550, '5.7.1', 'the From field cannot be read for certain')
const NOT_OWN = reply(550, '5.7.1', 'the From field names an address that is not yours')
const NO_SENDER = reply(550, '5.7.1', 'several From addresses need exactly one Sender field')
const BAD_SENDER = reply(550, '5.7.1', 'the Sender field names an address that is not yours')

/** null: every address in From and Sender is the author's own, as `isOwn` says. Otherwise the refusal. */
export async function checkAuthorship(
  content: Bytes,
  header: Header,
  isOwn: (address: Address) => Promise<boolean>,
): Promise<Reply | null> {
  const from = fieldValues(content, header, 'from')
  if (from.length !== 1) return NO_FROM
  const authors = certainAddresses(from[0]!)
  if (!authors) return BAD_FROM
  for (const author of authors) if (!(await isOwn(author))) return NOT_OWN

  const sender = fieldValues(content, header, 'sender')
  if (sender.length > 1 || (authors.length > 1 && sender.length === 0)) return NO_SENDER
  if (sender.length === 0) return null
  const senders = certainAddresses(sender[0]!)
  return senders?.length === 1 && (await isOwn(senders[0]!)) ? null : BAD_SENDER
}
