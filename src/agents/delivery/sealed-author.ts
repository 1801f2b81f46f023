import { type Address, formatAddress, parseAddress } from '#formats/message/address.ts'
import type { MimePart } from '#formats/message/mime-index.ts'

/** RFC 3156 §4, §5 */
const PROTOCOLS: Readonly<Record<string, string>> = {
  encrypted: 'application/pgp-encrypted',
  signed: 'application/pgp-signature',
}

/** The one author of a message that is encrypted or signed with OpenPGP; null for other mail, and where it is not clear who that is. */
export function sealedAuthor({ type, subtype, parameters, envelope }: MimePart): Address | null {
  if (type !== 'multipart') return null
  const protocol = parameters.find(([name]) => name === 'protocol')?.[1]?.toLowerCase()
  if (protocol === undefined || protocol !== PROTOCOLS[subtype]) return null
  const [author, another] = envelope?.from ?? []
  if (!author?.mailbox || !author.host || another) return null
  return parseAddress(formatAddress({ local: author.mailbox, domain: author.host }))
}
