/** A locked secret key as a file: one line of JSON and one line with its SHA-256, as the keyslot table. */
import { hash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'

const FORMAT = 'letterlock locked key 1'

export interface LockedKeyFile {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** Of the AMK that it is locked under. */
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly since: number
  /** Whether we made the key or its owner brought it. */
  readonly origin: 'made' | 'brought'
  /** The certificate that it was locked with, to be found again if the directory is lost. */
  readonly certificate: Bytes
  readonly locked: Bytes
}

const base64 = (octets: Bytes) => Buffer.from(octets).toString('base64')

export function encodeLockedKey(key: LockedKeyFile): Buffer {
  const { fingerprint, generation, since, origin, certificate, locked } = key
  const line = JSON.stringify({
    format: FORMAT,
    fingerprint,
    generation,
    since,
    ...(origin === 'made' ? {} : { origin }),
    certificate: base64(certificate),
    locked: base64(locked),
  })
  return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
}

/** null when the file is damaged. */
export function decodeLockedKey(octets: Bytes): LockedKeyFile | null {
  const [line = '', checksum, rest] = Buffer.from(octets).toString('latin1').split('\n')
  if (rest !== '' || checksum !== hash('sha256', Buffer.from(line, 'latin1'))) return null
  const fields = parsed(line)
  if (fields?.['format'] !== FORMAT) return null
  const { fingerprint, generation, since, origin = 'made', certificate, locked } = fields
  if (typeof fingerprint !== 'string' || !/^[0-9A-F]{40,64}$/.test(fingerprint)) return null
  if (typeof certificate !== 'string' || typeof locked !== 'string') return null
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(since)) return null
  if (origin !== 'made' && origin !== 'brought') return null
  return {
    fingerprint,
    generation: generation as number,
    since: since as number,
    origin,
    certificate: Buffer.from(certificate, 'base64'),
    locked: Buffer.from(locked, 'base64'),
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' ? (value as Readonly<Record<string, unknown>> | null) : null
  } catch {
    return null
  }
}
