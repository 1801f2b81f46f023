/**
 * One entry as one line: `{"seq":…,"at":…,…,"chain":"<64 hex>","mac":"<64 hex>"}` and a line feed. What is hashed are the octets
 * themselves, so there is no second way to write the same entry.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { AuditDetail, AuditEntry } from './audit-log.ts'

/** The chain before the first line. */
export const FIRST_CHAIN = '0'.repeat(64)

/** No line that we write is longer. */
export const LINE_LIMIT = 32 * 1024

const DETAIL_FIELDS = 16
const TEXT_LIMIT = 256
const KEY_LIMIT = 64

const MAC_TAIL = /^,"mac":"[0-9a-f]{64}"\}\n$/
const CHAIN_TAIL = /^,"chain":"[0-9a-f]{64}"$/
const MAC_TAIL_LENGTH = ',"mac":""}\n'.length + 64
const CHAIN_TAIL_LENGTH = ',"chain":""'.length + 64

/** Without control and format characters (they move text about on a terminal) and unpaired surrogates. */
const plain = (text: string, limit: number): string =>
  [...text.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')].slice(0, limit).join('')

function plainValue(value: string | number | boolean): string | number | boolean {
  if (typeof value === 'string') return plain(value, TEXT_LIMIT)
  // JSON knows no NaN
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function plainDetail(detail: AuditDetail): AuditDetail {
  const fields = Object.entries(detail).slice(0, DETAIL_FIELDS)
  return Object.fromEntries(fields.map(([key, value]) => [plain(key, KEY_LIMIT), plainValue(value)]))
}

function chainOf(before: string, body: Uint8Array): string {
  return createHash('sha256').update(before).update(body).digest('hex')
}

/** `purpose` keeps a MAC of one thing from being taken for that of another. */
export function macOf(key: Uint8Array, purpose: 'line' | 'head', content: Uint8Array): string {
  return createHmac('sha256', key).update(`letterlock audit ${purpose} 1\n`).update(content).digest('hex')
}

export interface EncodedLine {
  readonly octets: Buffer
  readonly chain: string
}

export function encodeLine(entry: AuditEntry, before: string, key: Uint8Array): EncodedLine {
  const { seq, at, event, account, address, actor, detail } = entry
  const fields = {
    seq,
    at,
    event,
    account,
    ...(address === undefined ? {} : { address: plain(address, 2 * TEXT_LIMIT) }),
    actor: plain(actor, KEY_LIMIT),
    detail: plainDetail(detail),
  }
  const body = JSON.stringify(fields).slice(0, -1)
  const chain = chainOf(before, Buffer.from(body))
  const covered = `${body},"chain":"${chain}"`
  return { octets: Buffer.from(`${covered},"mac":"${macOf(key, 'line', Buffer.from(covered))}"}\n`), chain }
}

export interface DecodedLine {
  readonly entry: AuditEntry
  readonly chain: string
  /** Whether the line follows one that ends with this chain. */
  follows(before: string): boolean
}

/** null when these octets, line feed included, are no line that was written with this key. */
export function decodeLine(octets: Buffer, key: Uint8Array): DecodedLine | null {
  if (octets.length > LINE_LIMIT || octets.length <= MAC_TAIL_LENGTH + CHAIN_TAIL_LENGTH) return null
  const covered = octets.subarray(0, octets.length - MAC_TAIL_LENGTH)
  const body = covered.subarray(0, covered.length - CHAIN_TAIL_LENGTH)
  const macTail = octets.toString('latin1', covered.length)
  const chainTail = covered.toString('latin1', body.length)
  if (!MAC_TAIL.test(macTail) || !CHAIN_TAIL.test(chainTail)) return null
  const mac = Buffer.from(macTail.slice(8, 72), 'hex')
  if (!timingSafeEqual(mac, Buffer.from(macOf(key, 'line', covered), 'hex'))) return null
  const { chain, mac: _, ...entry } = JSON.parse(octets.toString())
  return { entry, chain, follows: (before) => chainOf(before, body) === chain }
}
