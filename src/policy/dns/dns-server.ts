import { isIP } from 'node:net'

/** One resolver that can be asked. */
export interface DnsServer {
  readonly address: string
  readonly port: number
  /** DNS over TLS (RFC 7858); the name that its certificate must have, and CAs instead of the system's. */
  readonly tls?: { readonly name: string; readonly ca?: string }
}

/** `address`, `address:port` or `[address]:port`. Throws when it is none of them. */
export function parseDnsServer(text: string): DnsServer {
  if (isIP(text) !== 0) return { address: text, port: 53 }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(text) ?? []
  const address = bracketed ?? plain ?? ''
  const port = digits === undefined ? 53 : Number(digits)
  if (isIP(address) === 0 || port < 1 || port > 65_535) throw new Error(`not a DNS server address: ${text}`)
  return { address, port }
}

/** RFC 7672 §2.1.1: the AD bit means something only when nobody on the way could have set it. */
export function isProtected({ address, tls }: DnsServer): boolean {
  return tls !== undefined || address === '::1' || /^127\./.test(address)
}
