/**
 * Codes that people type: random octets and a checksum in Crockford's base32, in groups. The checksum tells a typing error, or a
 * credential of another kind, from a wrong code; case, spaces, hyphens and the usual confusions (O for 0, I and L for 1) do not
 * matter. Codes are Buffers, so that they can be wiped.
 */
import { randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { label, sha256, withKey } from './key-derivation.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export interface CodeForm {
  readonly purpose: string
  readonly secretOctets: number
  /** Five bits each; those beyond the secret are checksum, at most 24. */
  readonly characters: number
  readonly group: number
}

/** 128 bits and 22 of checksum. */
export const RECOVERY_CODE: CodeForm = {
  purpose: 'letterlock recovery code',
  secretOctets: 16,
  characters: 30,
  group: 5,
}

/** 160 bits and 20 of checksum. */
export const APP_PASSWORD: CodeForm = {
  purpose: 'letterlock app password',
  secretOctets: 20,
  characters: 36,
  group: 4,
}

export const newCodeSecret = ({ secretOctets }: CodeForm): Buffer => randomBytes(secretOctets)

/** The secret octets, the checksum, and zeros to the end of the octet. */
function withChecksum({ purpose, secretOctets, characters }: CodeForm, secret: Bytes): Buffer {
  const bits = characters * 5
  const block = Buffer.alloc(Math.ceil(bits / 8))
  block.set(secret)
  const checksum = withKey(label(purpose, secret), sha256)
  checksum.copy(block, secretOctets, 0, block.length - secretOctets)
  block[block.length - 1]! &= 0xff << (block.length * 8 - bits)
  return block
}

/** The code as people read it, in ASCII. */
export function encodeCode(form: CodeForm, secret: Bytes): Buffer {
  const { characters, group } = form
  const code = Buffer.alloc(characters + characters / group - 1)
  withKey(withChecksum(form, secret), (block) => {
    let at = 0
    for (let index = 0; index < characters; index++) {
      if (index > 0 && index % group === 0) code[at++] = 0x2d
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

/** The secret in a typed code; null when it is mistyped or no such code at all. */
export function decodeCode(form: CodeForm, typed: Bytes): Buffer | null {
  const { secretOctets, characters } = form
  const block = Buffer.alloc(Math.ceil((characters * 5) / 8))
  try {
    let index = 0
    for (const octet of typed) {
      if (octet === 0x20 || octet === 0x2d || octet === 0x09 || octet === 0x0d || octet === 0x0a) continue
      const value = quintetOf(octet)
      if (value < 0 || index === characters) return null
      put(block, index++, value)
    }
    if (index !== characters) return null
    const secret = Buffer.from(block.subarray(0, secretOctets))
    if (withKey(withChecksum(form, secret), (expected) => expected.equals(block))) return secret
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
