/** Who a submitted message says it is from (RFC 5322 §3.6.2): nobody but its author, read in the only way it can be read. */
import { type Address, parseDomain } from '#formats/message/address.ts'
import { parseAddressList } from '#formats/message/address-list.ts'
import { fieldValues, type Header } from '#formats/message/header.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'

const NO_FROM = reply(550, '5.7.1', 'the message needs exactly one From field')
const BAD_FROM = reply(550, '5.7.1', 'the From field cannot be read for certain')
const NOT_OWN = reply(550, '5.7.1', 'the From field names an address that is not yours')
const NO_SENDER = reply(550, '5.7.1', 'several From addresses need exactly one Sender field')
const BAD_SENDER = reply(550, '5.7.1', 'the Sender field names an address that is not yours')

const ADDRESSES = 20

/** null: every address in From and Sender is the author's own, as `isOwn` says. Otherwise the refusal. */
export async function checkAuthorship(
  content: Bytes,
  header: Header,
  isOwn: (address: Address) => Promise<boolean>,
): Promise<Reply | null> {
  const from = fieldValues(content, header, 'from')
  if (from.length !== 1) return NO_FROM
  const authors = readAddresses(from[0]!)
  if (!authors) return BAD_FROM
  for (const author of authors) if (!(await isOwn(author))) return NOT_OWN

  const sender = fieldValues(content, header, 'sender')
  if (sender.length > 1 || (authors.length > 1 && sender.length === 0)) return NO_SENDER
  if (sender.length === 0) return null
  const senders = readAddresses(sender[0]!)
  return senders?.length === 1 && (await isOwn(senders[0]!)) ? null : BAD_SENDER
}

/** null when any part of it could be read as something else than these addresses. */
function readAddresses(value: string): Address[] | null {
  const text = Buffer.from(value, 'latin1').toString()
  const listed = parseAddressList(text)
  if (listed.length === 0 || listed.length > ADDRESSES) return null
  const addresses = listed.map(({ mailbox, host }) => {
    const domain = host ? parseDomain(host) : null
    return mailbox && domain ? { local: mailbox, domain } : null
  })
  const known = addresses.filter((address) => address !== null)
  if (known.length < addresses.length) return null
  // A bare address where a name should stand is what other readers may take for the author.
  const spelled = new Set(known.map(({ local, domain }) => `${local}@${domain}`.toLowerCase()))
  const loose = outsideQuotes(text).split(/[\s<>,;:()[\]]/)
  return loose.every((word) => !word.includes('@') || word.startsWith('@') || spelled.has(word.toLowerCase()))
    ? known
    : null
}

/** The text without quoted strings and comments, which are replaced by nothing and a blank. */
function outsideQuotes(text: string): string {
  let outside = ''
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '\\' && (quoted || depth > 0)) at++
    else if (depth === 0 && char === '"') quoted = !quoted
    else if (quoted) continue
    else if (char === '(') depth++
    else if (char === ')' && depth > 0) depth--
    else if (depth === 0) outside += char
  }
  return outside
}
