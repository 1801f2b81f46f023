/** `letterlock domain records --keys`: the certificates of a domain as DNS records (RFC 7929). */
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Directory } from '#custody/accounts/directory.ts'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { formatAddress } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import { createKeyserver } from '#privacy/keyserver/keyserver.ts'
import type { DnsRecord } from './domain-records.ts'

/**
 * The current certificate of each address of the domain, as the keyserver gives it, under the local-part in lower case: senders take it
 * as it is written (RFC 7929 §4). Whenever a key changes they have to be published anew.
 */
export async function keyRecords(domain: string, directory: Directory, clock: Clock): Promise<readonly DnsRecord[]> {
  const keyserver = createKeyserver({ directory, clock })
  const records: DnsRecord[] = []
  for (const { id } of await directory.accounts()) {
    for (const address of await directory.addresses(id)) {
      if (domainKey(address.domain) !== domain) continue
      const publication = await keyserver.byAddress(address)
      if (!publication) continue
      const lower = { ...address, local: address.local.toLowerCase() }
      records.push({
        name: `${openPgpKeyName(lower)}.`,
        type: 'OPENPGPKEY',
        value: publication.octets.toString('base64'),
        why: `the key of ${formatAddress(lower)}; needs DNSSEC (RFC 7929)`,
      })
    }
  }
  return records
}
