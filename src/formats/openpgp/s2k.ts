/** String-to-key specifiers (RFC 9580 §3.7.1): how a passphrase becomes a key. All kinds are read, one is written. */
import { argon2, createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp } from './openpgp.ts'

/** Sizes in octets, Argon2's memory in KiB. */
export type S2k =
  | { readonly kind: 'simple'; readonly hash: number }
  | { readonly kind: 'salted'; readonly hash: number; readonly salt: Bytes }
  | { readonly kind: 'iterated'; readonly hash: number; readonly salt: Bytes; readonly count: number }
  | {
      readonly kind: 'argon2'
      readonly salt: Bytes
      readonly passes: number
      readonly lanes: number
      readonly memory: number
    }
  /** GnuPG's private specifier: there is no secret here, or it is on a smartcard. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly type: number }

/** GnuPG's, in the private range. */
const GNU = 101
const GNU_MARK = 'GNU'
const GNU_ABSENT: readonly number[] = [1, 2]

/** Reads a specifier and stops behind it. Throws MalformedOpenPgp. */
export function readS2k(reader: OctetReader): S2k {
  const type = reader.u8()
  switch (type) {
    case 0:
      return { kind: 'simple', hash: reader.u8() }
    case 1:
      return { kind: 'salted', hash: reader.u8(), salt: reader.take(8) }
    case 3:
      return { kind: 'iterated', hash: reader.u8(), salt: reader.take(8), count: decodeCount(reader.u8()) }
    case 4:
      return readArgon2(reader)
    case GNU:
      reader.u8()
      if (reader.take(3).toString('latin1') !== GNU_MARK || !GNU_ABSENT.includes(reader.u8())) break
      return { kind: 'absent' }
  }
  return { kind: 'unknown', type }
}

/** RFC 9580 §3.7.1.3 */
export function decodeCount(octet: number): number {
  return (16 + (octet & 15)) << ((octet >> 4) + 6)
}

/** RFC 9580 §3.7.1.4 */
function readArgon2(reader: OctetReader): S2k {
  const [salt, passes, lanes, exponent] = [reader.take(16), reader.u8(), reader.u8(), reader.u8()]
  const isPossible = passes > 0 && lanes > 0 && exponent <= 31 && 2 ** exponent >= 8 * lanes
  if (!isPossible) throw new MalformedOpenPgp('impossible Argon2 parameters')
  return { kind: 'argon2', salt, passes, lanes, memory: 2 ** exponent }
}

/** Somebody else's keys may be locked with hashes that are good for nothing else any more. */
const HASHES = new Map([
  [1, 'md5'],
  [2, 'sha1'],
  [3, 'ripemd160'],
  [8, 'sha256'],
  [9, 'sha384'],
  [10, 'sha512'],
  [11, 'sha224'],
  [12, 'sha3-256'],
  [14, 'sha3-512'],
])

const MOST_MEMORY = 256 << 10
const MOST_PASSES = 16
const MOST_LANES = 16

/** Why `deriveKey` will not run, or null. Its text ends a sentence that begins with "the key is locked with". */
export function unsupportedS2k(s2k: S2k): string | null {
  switch (s2k.kind) {
    case 'simple':
    case 'salted':
    case 'iterated':
      return HASHES.has(s2k.hash) ? null : `hash algorithm ${s2k.hash}`
    case 'argon2': {
      const fits = s2k.memory <= MOST_MEMORY && s2k.passes <= MOST_PASSES && s2k.lanes <= MOST_LANES
      return fits ? null : `Argon2 at a cost above 256 MiB, ${MOST_PASSES} passes or ${MOST_LANES} lanes`
    }
    case 'absent':
      return null
    case 'unknown':
      return `string-to-key specifier ${s2k.type}`
  }
}

/** `size` octets, to be wiped by the caller. Only where `unsupportedS2k` has nothing to say. */
export async function deriveKey(s2k: S2k, passphrase: Buffer, size: number): Promise<Buffer> {
  switch (s2k.kind) {
    case 'simple':
      return hashed(s2k.hash, passphrase, 0, size)
    case 'salted':
      return withSalt(s2k.salt, passphrase, (unit) => hashed(s2k.hash, unit, 0, size))
    case 'iterated':
      return withSalt(s2k.salt, passphrase, (unit) => hashed(s2k.hash, unit, s2k.count, size))
    case 'argon2':
      return stretched(s2k, passphrase, size)
    default:
      throw new MalformedOpenPgp('no key can be derived')
  }
}

async function withSalt(salt: Bytes, passphrase: Buffer, use: (unit: Buffer) => Promise<Buffer>): Promise<Buffer> {
  const unit = Buffer.concat([salt, passphrase])
  try {
    return await use(unit)
  } finally {
    wipe(unit)
  }
}

/** Octets hashed before others get their turn. */
const SLICE = 1 << 21

/** RFC 9580 §3.7.1.1 to §3.7.1.3: the unit over and over, cut off at `count` but at least once whole. */
async function hashed(hash: number, unit: Buffer, count: number, size: number): Promise<Buffer> {
  const name = HASHES.get(hash)!
  const times = Math.min(Math.floor(SLICE / Math.max(1, unit.length)), Math.ceil(count / Math.max(1, unit.length)))
  const repeated = Buffer.alloc(Math.max(1, times) * unit.length, unit)
  const digests: Buffer[] = []
  for (let got = 0; got < size; got += digests.at(-1)!.length) {
    // RFC 9580 §3.7.1.1: each further hash begins with one more zero octet
    const digest = createHash(name).update(Buffer.alloc(digests.length))
    for (let left = Math.max(count, unit.length); left > 0; left -= repeated.length) {
      digest.update(left < repeated.length ? repeated.subarray(0, left) : repeated)
      if (left > SLICE) await setImmediate()
    }
    digests.push(digest.digest())
  }
  wipe(repeated)
  const key = Buffer.concat(digests).subarray(0, size)
  for (const digest of digests) wipe(digest)
  return key
}

function stretched(
  { salt, passes, lanes, memory }: Extract<S2k, { kind: 'argon2' }>,
  message: Buffer,
  tagLength: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce: salt, parallelism: lanes, tagLength, memory, passes }, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}
