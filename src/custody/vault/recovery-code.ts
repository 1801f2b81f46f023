/**
 * Recovery codes: 128 random bits and 22 bits of checksum in Crockford's base32, six groups of five. The checksum tells a
 * typing error from a wrong code; case, spaces, hyphens and the usual confusions (O for 0, I and L for 1) do not matter.
 */
import { randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { label, sha256, withKey } from './key-derivation.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const SECRET_OCTETS = 16
const CHARACTERS = 30
const GROUP = 5

export const newRecoverySecret = (): Buffer => randomBytes(SECRET_OCTETS)

/** The 16 secret octets, followed by 22 bits of checksum and two of nothing. */
function withChecksum(secret: Bytes): Buffer {
  const block = Buffer.alloc(SECRET_OCTETS + 3)
  block.set(secret)
  const checksum = withKey(label('letterlock recovery code', secret), sha256)
  checksum.copy(block, SECRET_OCTETS, 0, 3)
  block[SECRET_OCTETS + 2]! &= 0xfc
  return block
}

/** The code as people read it, in ASCII; a Buffer so that it can be wiped. */
export function encodeRecoveryCode(secret: Bytes): Buffer {
  const code = Buffer.alloc(CHARACTERS + CHARACTERS / GROUP - 1)
  withKey(withChecksum(secret), (block) => {
    let at = 0
    for (let index = 0; index < CHARACTERS; index++) {
      if (index > 0 && index % GROUP === 0) code[at++] = 0x2d
      code[at++] = ALPHABET.charCodeAt(quintet(block, index))
    }
  })
  return code
}

/** Five bits of the block, from bit 5 * index on. */
function quintet(block: Bytes, index: number): number {
  const bit = index * 5
  const pair = (block[bit >> 3]! << 8) | (block[(bit >> 3) + 1] ?? 0)
  return (pair >> (11 - (bit & 7))) & 31
}

/** The value of a typed character, -1 for none of the alphabet. */
function quintetOf(octet: number): number {
  const upper = String.fromCharCode(octet).toUpperCase()
  if (upper === 'O') return 0
  return ALPHABET.indexOf(upper === 'I' || upper === 'L' ? '1' : upper)
}

/** The secret in a typed code; null when it is mistyped or no code at all. */
export function decodeRecoveryCode(typed: Bytes): Buffer | null {
  const block = Buffer.alloc(SECRET_OCTETS + 3)
  try {
    let index = 0
    for (const octet of typed) {
      if (octet === 0x20 || octet === 0x2d || octet === 0x09 || octet === 0x0d || octet === 0x0a) continue
      const value = quintetOf(octet)
      if (value < 0 || index === CHARACTERS) return null
      put(block, index++, value)
    }
    if (index !== CHARACTERS) return null
    const secret = Buffer.from(block.subarray(0, SECRET_OCTETS))
    if (withKey(withChecksum(secret), (expected) => expected.equals(block))) return secret
    wipe(secret)
    return null
  } finally {
    wipe(block)
  }
}

function put(block: Buffer, index: number, value: number): void {
  const bit = index * 5
  const shifted = value << (11 - (bit & 7))
  block[bit >> 3]! |= shifted >> 8
  if ((bit >> 3) + 1 < block.length) block[(bit >> 3) + 1]! |= shifted & 0xff
}
