/** Keys from keys. Every derived key is bound to what it is for by its label. */
import { createHmac, hash, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'

export const KEY_OCTETS = 32
const NO_SALT = Buffer.alloc(0)

/** Fields joined so that no two lists of fields give the same octets. */
export function label(...fields: readonly (string | number | Bytes)[]): Buffer {
  const pieces: Buffer[] = []
  for (const field of fields) {
    const octets = typeof field === 'object' ? asBuffer(field) : Buffer.from(String(field))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(octets.length)
    pieces.push(length, octets)
  }
  return Buffer.concat(pieces)
}

/** HKDF-SHA256 (RFC 5869). */
export function subkey(key: Bytes, info: Buffer, salt: Bytes = NO_SALT): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, KEY_OCTETS))
}

export const mac = (key: Bytes | KeyObject, content: Bytes | string): Buffer =>
  createHmac('sha256', key).update(content).digest()

export const sha256 = (content: Bytes): Buffer => hash('sha256', content, 'buffer')

/** Whether they are the same octets, in time that says nothing of where they differ. */
export const equal = (a: Bytes, b: Bytes): boolean => a.byteLength === b.byteLength && timingSafeEqual(a, b)

/** A key used for one purpose and wiped at once. */
export function withKey<T>(key: Buffer, use: (key: Buffer) => T): T {
  try {
    return use(key)
  } finally {
    wipe(key)
  }
}
