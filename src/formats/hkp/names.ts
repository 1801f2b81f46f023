/** The names under which the certificate of an address is published, in web directories and in DNS. */
import { hash } from 'node:crypto'
import { type Address, domainOf } from '#formats/message/address.ts'
import { zbase32 } from '#lib/zbase32.ts'

/** draft-koch-openpgp-webkey-service §3.1: the file's name. Only ASCII letters are folded. */
export function wkdHash(local: string): string {
  const folded = local.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return zbase32(hash('sha1', folded, 'buffer'))
}

/** RFC 7929 §3: the owner name of an address's OPENPGPKEY record, without a final dot. Case counts: the local-part is taken as it is. */
export function openPgpKeyName(address: Address): string {
  const digest = hash('sha256', address.local.normalize('NFC'), 'hex')
  return `${digest.slice(0, 56)}._openpgpkey.${domainOf(address)}`
}
