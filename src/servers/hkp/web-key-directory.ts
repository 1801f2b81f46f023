/**
 * The Web Key Directory (draft-koch-openpgp-webkey-service-21 §3.1): the current certificate of an address by the hash of its local-part.
 * The advanced method names the domain in the path, whatever host it is asked on; the direct method means the host's own domain.
 */
import { parseQuery, percentDecoded } from '#formats/hkp/hkp.ts'
import { wkdHash } from '#formats/hkp/names.ts'
import { type Address, formatAddress, parseAddress, parseDomain } from '#formats/message/address.ts'
import type { Keyserver } from '#privacy/keyserver/keyserver.ts'
import { type Answer, badRequest, FRESH_BY_ADDRESS, FRESH_BY_KEY, found, notFound } from './answer.ts'
import type { Sources, Target } from './asked.ts'

const PREFIX = '/.well-known/openpgpkey/'
const HASH = /^[ybndrfg8ejkmcpqxot1uwisza345h769]{32}$/

export const isDirectoryPath = (path: string): boolean => path.startsWith(PREFIX)

export async function directoryAnswer(target: Target, { keyserver }: Sources): Promise<Answer> {
  const parts = target.path.slice(PREFIX.length).split('/')
  const isDirect = parts[0] === 'hu' || parts[0] === 'policy'
  const domain = parseDomain(isDirect ? target.host : (percentDecoded(parts.shift()!) ?? ''))
  if (domain === null || !(await keyserver.isOurs(domain))) return notFound
  const [kind, hash = '', ...more] = parts
  // §4.5: an empty policy file says that there is a directory.
  if (kind === 'policy' && parts.length === 1) return found({ type: 'text/plain', body: '', maxAge: FRESH_BY_KEY })
  if (kind !== 'hu' || more.length > 0 || !HASH.test(hash)) return notFound
  const fields = parseQuery(target.query)
  if (!fields) return badRequest
  const address = await addressOf({ domain, hash, local: fields.get('l') }, keyserver)
  const publication = address && (await keyserver.byAddress(address))
  if (!publication) return notFound
  const { octets: body } = publication
  // The direct method's answer depends on the host too.
  return found({ type: 'application/octet-stream', body, maxAge: FRESH_BY_ADDRESS, keeps: !isDirect })
}

/** null: there is none, or the local-part that came along is another one. */
async function addressOf(
  { domain, hash, local }: { readonly domain: string; readonly hash: string; readonly local: string | undefined },
  keyserver: Keyserver,
): Promise<Address | null> {
  if (local === undefined) return keyserver.addressOfHash(domain, hash)
  return wkdHash(local) === hash ? parseAddress(formatAddress({ local, domain })) : null
}
