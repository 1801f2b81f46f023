/** HKP version 2, `/pks/v2/` (draft-ietf-openpgp-hkp-01 §5.1): binary certificates, also of version 6, and an index in JSON. */
import { parseHex, parseIdentity, percentDecoded, type Term } from '#formats/hkp/hkp.ts'
import { indexJson } from '#formats/hkp/index-entry.ts'
import {
  type Answer,
  allowed,
  badSearch,
  FRESH_BY_ADDRESS,
  FRESH_BY_KEY,
  forbidden,
  found,
  notFound,
  notImplemented,
} from './answer.ts'
import type { Sources } from './asked.ts'
import { find } from './version-1.ts'

const PREFIX = '/pks/v2/'

/** What there is to look up by, and what its identifier says. */
const CATEGORIES: ReadonlyMap<string, (identifier: string) => Term | null> = new Map([
  ['certs/by-vfingerprint', versionedFingerprint],
  ['certs/by-keyid', keyId],
  ['certs/by-identity', identity],
  ['index', identity],
])

export const isVersion2Path = (path: string): boolean => path.startsWith(PREFIX)

/** Feature detection: what is not looked up here, submissions among it, is not offered. */
export const options = (path: string): Answer => (split(path) ? allowed : notImplemented)

export async function version2(path: string, { keyserver }: Sources): Promise<Answer> {
  const parts = split(path)
  if (!parts) return notImplemented
  const { category, identifier } = parts
  if (identifier === '') return forbidden
  const term = CATEGORIES.get(category)!(identifier)
  if (!term) return badSearch
  const all = await find(term, keyserver)
  // Key ids are for version 4 alone.
  const publications = term.kind === 'key-id' ? all.filter(({ entry }) => entry.version === 4) : all
  if (publications.length === 0) return notFound
  const maxAge = term.kind === 'address' ? FRESH_BY_ADDRESS : FRESH_BY_KEY
  if (category === 'index') {
    return found({ type: 'application/json', body: indexJson(publications.map(({ entry }) => entry)), maxAge })
  }
  const body = Buffer.concat(publications.map(({ octets }) => octets))
  return found({ type: 'application/pgp', body, maxAge, keeps: true })
}

/** null: no category of ours. */
function split(path: string): { readonly category: string; readonly identifier: string } | null {
  const rest = path.slice(PREFIX.length)
  for (const category of CATEGORIES.keys()) {
    if (rest === category) return { category, identifier: '' }
    if (rest.startsWith(`${category}/`)) return { category, identifier: rest.slice(category.length + 1) }
  }
  return null
}

/** Two path components: the version in hex, and the fingerprint. */
function versionedFingerprint(identifier: string): Term | null {
  const [, version, digits = ''] = /^(0[46])\/([^/]*)$/.exec(identifier) ?? []
  const term = parseHex(digits)
  return term?.kind === 'fingerprint' && `0${term.version}` === version ? term : null
}

function keyId(identifier: string): Term | null {
  const term = parseHex(identifier)
  return term?.kind === 'key-id' ? term : null
}

function identity(identifier: string): Term | null {
  const text = percentDecoded(identifier)
  return text === null ? null : parseIdentity(text)
}
