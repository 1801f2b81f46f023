import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext, rootCertificates, type SecureContext } from 'node:tls'

/** How we are a TLS client. */
export interface RelayTls {
  /** Encrypts to whoever is there, and notes whether it was the right one (RFC 7435). */
  opportunistic(host: string): ConnectionOptions
  /** Fails unless the certificate is valid for the host. */
  verified(host: string): ConnectionOptions
}

/** `ca`: certificates in PEM that are trusted besides those of the runtime. */
export function createRelayTls(ca: readonly string[]): RelayTls {
  let made: SecureContext | null = null
  // RFC 8996: nothing below TLS 1.2. Made at first use, since reading the runtime's certificates takes time and memory.
  const context = () => {
    made ??= createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca.length > 0 ? { ca: [...rootCertificates, ...ca] } : {}),
    })
    return made
  }
  const options = (host: string, rejectUnauthorized: boolean): ConnectionOptions => {
    const name = host.replace(/^\[(?:IPv6:)?|\]$/gi, '')
    // RFC 6066 §3: an address is no server name; the certificate is checked against `host` all the same.
    const named = isIP(name) ? { host: name } : { servername: name }
    return { secureContext: context(), rejectUnauthorized, minVersion: 'TLSv1.2', ...named }
  }
  return { opportunistic: (host) => options(host, false), verified: (host) => options(host, true) }
}
