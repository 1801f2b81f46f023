/**
 * Version 1 of the encrypted, integrity-protected container (RFC 9580 §5.13.1): AES in CFB mode over the plaintext and its
 * SHA-1. Every program that speaks OpenPGP reads it.
 */
import { createCipheriv, createDecipheriv, hash, randomFillSync, timingSafeEqual } from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { cipherKeySize, IntegrityError, MalformedOpenPgp, PacketType } from './openpgp.ts'
import type { SessionKey } from './session-key.ts'

/** Random block, its last two octets again. */
const PREFIX = 18
/** Header of the modification detection packet, and all of it. */
const MDC_HEADER = [0xc0 | PacketType.mdc, 20]
const MDC = 22
const ZERO_IV = Buffer.alloc(16)

/** Octets of a container body for `size` octets of plaintext. */
export function seipd1Size(size: number): number {
  return 1 + PREFIX + size + MDC
}

/** Where the plaintext goes: `fill` it, then `encryptSeipd1` the whole. */
export function seipd1Plain(size: number): { readonly whole: Buffer; readonly plain: Buffer } {
  const whole = Buffer.allocUnsafe(PREFIX + size + MDC)
  return { whole, plain: whole.subarray(PREFIX, PREFIX + size) }
}

/** Adds prefix and hash around the plaintext, and encrypts; the plaintext is overwritten. The version octet is not in it. */
export function encryptSeipd1(whole: Buffer, { cipher, key }: SessionKey): Buffer {
  randomFillSync(whole, 0, 16)
  whole[16] = whole[14]!
  whole[17] = whole[15]!
  const end = whole.length - MDC
  whole.set(MDC_HEADER, end)
  whole.set(hash('sha1', whole.subarray(0, end + 2), 'buffer'), end + 2)
  const encrypted = createCipheriv(cfbName(cipher, key), key, ZERO_IV).update(whole)
  whole.fill(0)
  return encrypted
}

/** Takes the container's body; answers the plaintext once its hash is found right. Throws IntegrityError, MalformedOpenPgp. */
export function decryptSeipd1(body: Bytes, { cipher, key }: SessionKey): Buffer {
  if (body.length < seipd1Size(0)) throw new IntegrityError()
  const name = cfbName(cipher, key)
  const whole = createDecipheriv(name, key, ZERO_IV).update(asBuffer(body).subarray(1))
  const end = whole.length - MDC
  const digest = hash('sha1', whole.subarray(0, end + 2), 'buffer')
  // RFC 9580 §5.13.1: the repeated octets of the prefix are not looked at, they would be an oracle
  const intact = timingSafeEqual(digest, whole.subarray(end + 2))
  if (!intact || whole[end] !== MDC_HEADER[0] || whole[end + 1] !== MDC_HEADER[1]) {
    whole.fill(0)
    throw new IntegrityError()
  }
  return whole.subarray(PREFIX, end)
}

function cfbName(cipher: number, key: Bytes): string {
  const size = cipherKeySize(cipher)
  if (!size) throw new MalformedOpenPgp('a cipher that may not be used')
  if (size !== key.length) throw new IntegrityError()
  return `aes-${size * 8}-cfb`
}
