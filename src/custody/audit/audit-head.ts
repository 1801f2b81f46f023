/** How many lines the log has and how the last one ends, under a MAC: so that a cut tail is found. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FIRST_CHAIN, macOf } from './audit-line.ts'
import { AuditDamaged } from './audit-log.ts'

export interface AuditHead {
  readonly entries: number
  /** Length of the log's counted lines. */
  readonly octets: number
  /** Of the last counted line. */
  readonly chain: string
}

export const NO_ENTRIES: AuditHead = { entries: 0, octets: 0, chain: FIRST_CHAIN }

export interface AuditPaths {
  readonly folder: string
  readonly log: string
  readonly head: string
  readonly lock: string
  readonly key: string
}

export function auditPaths(dataDir: string): AuditPaths {
  const folder = join(dataDir, 'audit')
  return {
    folder,
    log: join(folder, 'log'),
    head: join(folder, 'head'),
    lock: join(folder, 'lock'),
    key: join(dataDir, 'keys', 'audit.key'),
  }
}

const REMEDY =
  'letterlock audit verify tells more. To go on with a new log, keep this one aside: rename the folder audit in the data directory'

/** An AuditDamaged that says what to do. */
export const damaged = (what: string): AuditDamaged => new AuditDamaged(`${what}. ${REMEDY}`)

const digits = (count: number): string => String(count).padStart(15, '0')

export function encodeHead({ entries, octets, chain }: AuditHead, key: Uint8Array): Buffer {
  // always of the same length, so that nothing of an unfinished one can stand behind it
  const body = `${digits(entries)} ${digits(octets)} ${chain}\n`
  return Buffer.from(`${body}${macOf(key, 'head', Buffer.from(body))}\n`)
}

const HEAD = /^((\d{15}) (\d{15}) ([0-9a-f]{64})\n)([0-9a-f]{64})\n$/

/** null when there is none. Throws AuditDamaged when it was not written with this key. */
export async function readHead(path: string, key: Uint8Array): Promise<AuditHead | null> {
  const octets = await readFile(path).catch(ifMissing)
  if (octets === null) return null
  const [, body = '', entries, size, chain = '', mac] = HEAD.exec(octets.toString('latin1')) ?? []
  if (macOf(key, 'head', Buffer.from(body)) !== mac) throw damaged(`${path} does not fit the key of the audit log`)
  return { entries: Number(entries), octets: Number(size), chain }
}

export async function isThere(path: string): Promise<boolean> {
  return (await access(path).catch(ifMissing)) !== null
}

/** null for ENOENT; every other error is thrown. */
export function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}
