import { type Address, formatAddress, parseAddress } from '#formats/message/address.ts'
import type { MimePart } from '#formats/message/mime-index.ts'
import { sealedKind } from '#formats/message/sealed-kind.ts'

/** The one author of a message that is encrypted or signed with OpenPGP; null for other mail, and where it is not clear who that is. */
export function sealedAuthor(root: MimePart): Address | null {
  if (sealedKind(root) === null) return null
  const [author, another] = root.envelope?.from ?? []
  if (!author?.mailbox || !author.host || another) return null
  return parseAddress(formatAddress({ local: author.mailbox, domain: author.host }))
}
