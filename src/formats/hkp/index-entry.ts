/** What an index says of one certificate, and its machine-readable forms: the colon lines of version 1, the JSON of version 2. */

export interface IndexedKey {
  readonly version: number
  /** Upper-case hex. */
  readonly fingerprint: string
  /** RFC 9580 §9.1 */
  readonly algorithm: number
  readonly bits: number
  /** Milliseconds since the epoch, like the next one. */
  readonly created: number
  /** null for never. */
  readonly expires: number | null
}

export interface IndexEntry extends IndexedKey {
  readonly revoked: boolean
  readonly userIds: readonly string[]
  readonly subkeys: readonly IndexedKey[]
}

const seconds = (ms: number | null): string => (ms === null ? '' : String(Math.floor(ms / 1000)))

/** Version 1 with `options=mr` (draft-ietf-openpgp-hkp-01). `now`: milliseconds since the epoch. */
export function colonLines(entries: readonly IndexEntry[], now: number): string {
  const lines = entries.flatMap(({ fingerprint, algorithm, bits, created, expires, revoked, userIds }) => {
    const flags = `${revoked ? 'r' : ''}${expires !== null && expires <= now ? 'e' : ''}`
    return [
      `pub:${fingerprint}:${algorithm}:${bits}:${seconds(created)}:${seconds(expires)}:${flags}`,
      ...userIds.map((userId) => `uid:${colonEscaped(userId)}:::${flags}`),
    ]
  })
  return [`info:1:${entries.length}`, ...lines, ''].join('\n')
}

/** Everything that is not printable ASCII, colons and percent signs as `%XX` of their UTF-8. */
function colonEscaped(text: string): string {
  return text.replace(/[^\x20-\x7e]|[:%]/gu, (char) =>
    [...Buffer.from(char)].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** RFC 3339 §5.6, whole seconds, UTC. */
const instant = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

const keyFields = ({ version, fingerprint, algorithm, bits, created, expires }: IndexedKey) => ({
  version,
  fingerprint: fingerprint.toLowerCase(),
  algorithm: { code: algorithm, bitLength: bits },
  creation: instant(created),
  ...(expires === null ? {} : { expiration: instant(expires) }),
})

/** Version 2 (draft-ietf-openpgp-hkp-01). */
export function indexJson(entries: readonly IndexEntry[]): string {
  const certificates = entries.map((entry) => ({
    ...keyFields(entry),
    isRevoked: entry.revoked,
    userIDs: entry.userIds.map((uidString) => ({ uidString, isRevoked: false })),
    subkeys: entry.subkeys.map(keyFields),
  }))
  return `${JSON.stringify(certificates)}\n`
}
