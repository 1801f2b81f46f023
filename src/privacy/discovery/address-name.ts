import { type Address, domainOf, formatAddress } from '#formats/message/address.ts'

/** Text that names one address. The local-part exactly: only its own provider knows whether case counts (RFC 5321 §2.4). */
export const addressName = ({ local, domain }: Address): string =>
  formatAddress({ local: local.normalize('NFC'), domain: domainOf({ local, domain }) })
