import { isIP } from 'node:net'

/** One resolver that can be asked. */
export interface DnsServer {
  readonly address: string
  readonly port: number
  /** DNS over TLS (RFC 7858); the name that its certificate must have, and CAs instead of the system's. */
  readonly tls?: { readonly name: string; readonly ca?: string | readonly string[] }
}

/**
 * `address`, `address:port` or `[address]:port`; with `#name` behind it DNS over TLS, to a server whose certificate has that
 * name. Throws when it is none of them.
 */
export function parseDnsServer(text: string): DnsServer {
  const [place = '', name] = text.split('#', 2)
  if (name !== undefined && !/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(name)) throw notAServer(text)
  const standard = name === undefined ? 53 : 853
  const tls = name === undefined ? {} : { tls: { name: name.toLowerCase() } }
  if (isIP(place) !== 0) return { address: place, port: standard, ...tls }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(place) ?? []
  const address = bracketed ?? plain ?? ''
  const port = digits === undefined ? standard : Number(digits)
  if (isIP(address) === 0 || port < 1 || port > 65_535) throw notAServer(text)
  return { address, port, ...tls }
}

const notAServer = (text: string) => new Error(`not a DNS server address: ${text}`)

/** RFC 7672 §2.1.1: the AD bit means something only when nobody on the way could have set it. */
export function isProtected({ address, tls }: DnsServer): boolean {
  return tls !== undefined || address === '::1' || /^127\./.test(address)
}
