/** HKP version 1, `/pks/lookup`: what GnuPG, Sequoia and every older program ask. */
import { parseQuery, parseSearch, type Term } from '#formats/hkp/hkp.ts'
import { colonLines } from '#formats/hkp/index-entry.ts'
import { armorOctets } from '#formats/openpgp/armor.ts'
import type { Keyserver } from '#privacy/keyserver/keyserver.ts'
import type { Publication } from '#privacy/keyserver/publication.ts'
import {
  type Answer,
  badRequest,
  badSearch,
  FRESH_BY_ADDRESS,
  FRESH_BY_KEY,
  found,
  notFound,
  notImplemented,
} from './answer.ts'
import type { Sources } from './asked.ts'
import { indexPage } from './index-page.ts'

export async function lookup(query: string, { keyserver, now }: Sources): Promise<Answer> {
  const fields = parseQuery(query)
  const operation = fields?.get('op')
  const search = fields?.get('search')
  if (!operation || !search) return badRequest
  if (operation !== 'get' && operation !== 'index' && operation !== 'vindex') return notImplemented
  const term = parseSearch(search)
  if (!term) return badSearch
  // GnuPG gives up on a whole answer with a version 6 key in it: those are for version 2 only.
  const publications = (await find(term, keyserver)).filter(({ entry }) => entry.version === 4)
  if (publications.length === 0) return notFound
  const maxAge = term.kind === 'address' ? FRESH_BY_ADDRESS : FRESH_BY_KEY
  if (operation === 'get') return armored(publications, maxAge)
  const entries = publications.map(({ entry }) => entry)
  if (fields?.get('options')?.split(',').includes('mr')) {
    return found({ type: 'text/plain; charset=utf-8', body: colonLines(entries, now()), maxAge })
  }
  return indexPage(entries, now(), maxAge)
}

export async function find(term: Term, keyserver: Keyserver): Promise<readonly Publication[]> {
  switch (term.kind) {
    case 'address':
      return only(await keyserver.byAddress(term.address))
    case 'fingerprint':
      return only(await keyserver.byFingerprint(term.fingerprint))
    case 'key-id':
      return keyserver.byKeyId(term.keyId)
  }
}

const only = (publication: Publication | null): readonly Publication[] => (publication ? [publication] : [])

/** Several in one block: a client that reads only the first block would miss the others. */
function armored(publications: readonly Publication[], maxAge: number): Answer {
  const body = armorOctets('PUBLIC KEY BLOCK', Buffer.concat(publications.map(({ octets }) => octets)))
  const fields = ['content-disposition', 'attachment; filename="key.asc"']
  return found({ type: 'application/pgp-keys', body, maxAge, keeps: true, fields })
}
