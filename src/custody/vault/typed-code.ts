/**
 * Codes that people type: random octets and a checksum in Crockford's base32, in groups. The checksum tells a typing error, or a
 * credential of another kind, from a wrong code; case, spaces, hyphens and the usual confusions (O for 0, I and L for 1) do not
 * matter. Codes are Buffers, so that they can be wiped.
 */
import { randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { decodeCrockford, encodeCrockford } from '#lib/crockford.ts'
import { label, sha256, withKey } from './key-derivation.ts'

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
  return withKey(withChecksum(form, secret), (block) => encodeCrockford(block, form.characters, form.group))
}

/** The secret in a typed code; null when it is mistyped or no such code at all. */
export function decodeCode(form: CodeForm, typed: Bytes): Buffer | null {
  const block = decodeCrockford(typed, form.characters)
  if (!block) return null
  return withKey(block, () => {
    const secret = Buffer.from(block.subarray(0, form.secretOctets))
    if (withKey(withChecksum(form, secret), (expected) => expected.equals(block))) return secret
    wipe(secret)
    return null
  })
}
