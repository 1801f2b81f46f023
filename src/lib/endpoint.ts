/** Where another program of this machine or of its own network listens, and how to connect to it. */
import { lookup as resolve } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from './public-address.ts'

export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** Reads `host:port`, `[address]:port` or `unix:/path`; null when it is none of them. */
export function parseEndpoint(text: string): Endpoint | null {
  if (/^unix:\/[^\0]{1,106}$/.test(text)) return { kind: 'unix', path: text.slice('unix:'.length) }
  const [, bracketed, name, digits] = /^(?:\[([\da-fA-F:.]{2,45})\]|([\w.-]{1,253})):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65_535) || (bracketed !== undefined && isIP(bracketed) !== 6)) return null
  return { kind: 'tcp', host: bracketed ?? name!, port }
}

/** Names may lead to addresses of this machine and its own network only: what goes there goes in clear. */
const resolveHere: LookupFunction = (host, options, callback) => {
  resolve(host, options, (error, found, family) => {
    const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found]
    if (!error && addresses.some(isPublicAddress))
      error = new Error(`${host} is not of this machine or its own network, and mail goes there in clear`)
    callback(error, found, family)
  })
}

/** Whether the endpoint itself says that it is out on the Internet; a name shows that when it is connected to. */
export const isOutside = (endpoint: Endpoint): boolean => endpoint.kind === 'tcp' && isPublicAddress(endpoint.host)

/** Options for node:net. A name that leads outside is an error of the connection. */
export function socketOptions(
  endpoint: Endpoint,
): { path: string } | { host: string; port: number; lookup: LookupFunction } {
  if (endpoint.kind === 'unix') return { path: endpoint.path }
  return { host: endpoint.host, port: endpoint.port, lookup: resolveHere }
}

/** The same for node:http. */
export function httpOptions(
  endpoint: Endpoint,
): { socketPath: string } | { host: string; port: number; lookup: LookupFunction } {
  return endpoint.kind === 'unix'
    ? { socketPath: endpoint.path }
    : { host: endpoint.host, port: endpoint.port, lookup: resolveHere }
}
