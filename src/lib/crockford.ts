/**
 * Crockford's base32 for what people type: five bits in a character; case does not matter, O is 0, I and L are 1. Everything is a
 * Buffer, so that it can be wiped.
 */
import type { Bytes } from './bytes.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Octets that so many characters hold; the bits beyond the last character are zero. */
export const blockSize = (characters: number): number => Math.ceil((characters * 5) / 8)

/** The first `characters` of the block in ASCII, with a hyphen after each group. */
export function encodeCrockford(block: Bytes, characters: number, group: number): Buffer {
  const code = Buffer.alloc(characters + Math.ceil(characters / group) - 1)
  let at = 0
  for (let index = 0; index < characters; index++) {
    if (index > 0 && index % group === 0) code[at++] = 0x2d
    code[at++] = ALPHABET.charCodeAt(quintet(block, index))
  }
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

const SKIPPED: ReadonlySet<number> = new Set([0x20, 0x2d, 0x09, 0x0d, 0x0a])

/** The block that was typed, hyphens and white space left out, to be wiped by the caller; null unless it has just so many characters. */
export function decodeCrockford(typed: Bytes, characters: number): Buffer | null {
  const block = Buffer.alloc(blockSize(characters))
  let index = 0
  for (const octet of typed) {
    if (SKIPPED.has(octet)) continue
    const value = quintetOf(octet)
    if (value < 0 || index === characters) {
      block.fill(0)
      return null
    }
    put(block, index++, value)
  }
  if (index === characters) return block
  block.fill(0)
  return null
}

function put(block: Buffer, index: number, value: number): void {
  const bit = index * 5
  const shifted = value << (11 - (bit & 7))
  block[bit >> 3]! |= shifted >> 8
  if ((bit >> 3) + 1 < block.length) block[(bit >> 3) + 1]! |= shifted & 0xff
}
