/** A locked secret key as a file: one line of JSON and one line with its SHA-256, as the keyslot table. */
import { hash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'

const FORMAT = 'letterlock locked key 1'

export interface LockedKeyFile {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** Of the AMK that it is locked under. */
  readonly generation: number
  /**
   * The AMK's digest in lower-case hex, as the keyslot table has it: a change that was interrupted leaves a key of a generation that
   * another AMK took. Empty in files of the first release.
   */
  readonly digest: string
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
  const { fingerprint, generation, digest, since, origin, certificate, locked } = key
  const line = JSON.stringify({
    format: FORMAT,
    fingerprint,
    generation,
    ...(digest === '' ? {} : { digest }),
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
  const { fingerprint, generation, digest = '', since, origin = 'made', certificate, locked } = fields
  if (typeof fingerprint !== 'string' || !/^[0-9A-F]{40,64}$/.test(fingerprint)) return null
  if (typeof certificate !== 'string' || typeof locked !== 'string') return null
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(since)) return null
  if (typeof digest !== 'string' || !/^[0-9a-f]*$/.test(digest)) return null
  if (origin !== 'made' && origin !== 'brought') return null
  return {
    fingerprint,
    generation: generation as number,
    digest,
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

/** Whether the key is locked under the AMK of this generation of the keyslot table. */
export const isUnder = (
  key: LockedKeyFile,
  { generation, digest }: { readonly generation: number; readonly digest: Bytes },
): boolean => key.generation === generation && (key.digest === '' || key.digest === digestText(digest))

export const digestText = (digest: Bytes): string => Buffer.from(digest).toString('hex')
