/** What is answered over HTTP. Known and unknown are told in the same words, and with the same header fields. */
import { hash } from 'node:crypto'

export interface Answer {
  readonly status: number
  /** Names and values in turn, without those of the connection. */
  readonly fields: readonly string[]
  /** One octet per character: so it goes to the socket in one piece with its header. */
  readonly body: string
  readonly etag: string | null
  /** The same for everybody who asks for the same target, until the directory changes. */
  readonly keeps: boolean
}

export const ALLOWED = 'GET, HEAD, OPTIONS'

/** Everything here is public: scripts of any site may read it. Draft-ietf-openpgp-hkp-01 makes it a must for version 2. */
const COMMON = ['access-control-allow-origin', '*', 'x-content-type-options', 'nosniff']

/** Keys do get revoked: however exact a name is, what it leads to is never immutable. In seconds. */
export const FRESH_BY_ADDRESS = 300
export const FRESH_BY_KEY = 3600
const FRESH_WHEN_MISSING = 60

export interface Content {
  readonly type: string
  readonly body: string | Buffer
  readonly maxAge: number
  readonly keeps?: boolean
  readonly fields?: readonly string[]
}

export function found({ type, body, maxAge, keeps = false, fields = [] }: Content): Answer {
  const octets = typeof body === 'string' ? Buffer.from(body) : body
  const etag = `"${hash('sha256', octets, 'base64url').slice(0, 27)}"`
  const control = ['cache-control', `public, max-age=${maxAge}`, 'etag', etag]
  const own = ['content-type', type, 'content-length', String(octets.length), ...fields]
  return { status: 200, fields: [...COMMON, ...control, ...own], body: octets.toString('latin1'), etag, keeps }
}

/** RFC 9110 §15.4.5: what a 200 would have said about caching, and no content. */
export function notModified({ fields }: Answer): Answer {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    if (!fields[at]!.startsWith('content-')) kept.push(fields[at]!, fields[at + 1]!)
  }
  return { status: 304, fields: kept, body: '', etag: null, keeps: false }
}

function said(status: number, text: string, fields: readonly string[] = []): Answer {
  const body = `${text}\n`
  const own = ['content-type', 'text/plain; charset=utf-8', 'content-length', String(body.length), ...fields]
  return { status, fields: [...COMMON, ...own], body, etag: null, keeps: false }
}

export const notFound = said(404, 'Not found', ['cache-control', `public, max-age=${FRESH_WHEN_MISSING}`])
export const badRequest = said(400, 'This request cannot be understood')
export const badSearch = said(
  400,
  'Search for one whole mail address, for 0x and a full fingerprint, or for 0x and a key id of 16 digits',
)
export const forbidden = said(403, 'What is looked for is missing; nothing is listed here')
export const tooLong = said(414, 'This request is too long')
export const notImplemented = said(501, 'This is not offered here')
export const notAllowed = said(405, 'This keyserver is read-only: keys are changed by their owners elsewhere', [
  'allow',
  ALLOWED,
])
export const failed = said(500, 'This did not work; try again later', ['cache-control', 'no-store'])

export const tooMany = (seconds: number): Answer =>
  said(429, 'Too many lookups; try again later', ['retry-after', String(seconds), 'cache-control', 'no-store'])

/** RFC 9110 §9.3.7, and the feature detection of version 2. */
export const allowed: Answer = {
  status: 200,
  fields: [...COMMON, 'allow', ALLOWED, 'access-control-allow-methods', ALLOWED, 'content-length', '0'],
  body: '',
  etag: null,
  keeps: false,
}
