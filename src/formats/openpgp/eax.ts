/**
 * EAX mode of AES, decryption only: other programs may have chosen it, we never do. Source: Bellare, Rogaway, Wagner,
 * "The EAX Mode of Operation", FSE 2004.
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const BLOCK = 16

/** Throws when the tag is wrong. */
export function openEax(key: Bytes, nonce: Bytes, associated: Bytes, encrypted: Bytes, tag: Bytes): Buffer {
  const omac = omacWith(key)
  const start = omac(0, nonce)
  const expected = Buffer.alloc(BLOCK)
  const parts = [start, omac(1, associated), omac(2, encrypted)]
  for (let i = 0; i < BLOCK; i++) expected[i] = parts[0]![i]! ^ parts[1]![i]! ^ parts[2]![i]!
  if (!timingSafeEqual(expected, tag)) throw new Error('tag')
  return createDecipheriv(`aes-${key.length * 8}-ctr`, key, start).update(asBuffer(encrypted))
}

/** OMAC (CMAC, NIST SP 800-38B) of a number as one block, followed by the octets. */
function omacWith(key: Bytes): (domain: number, octets: Bytes) => Buffer {
  const name = `aes-${key.length * 8}-cbc`
  const encrypt = (plain: Buffer) =>
    createCipheriv(name, key, Buffer.alloc(BLOCK)).setAutoPadding(false).update(plain).subarray(-BLOCK)
  const whole = doubled(encrypt(Buffer.alloc(BLOCK)))
  const partial = doubled(whole)
  return (domain, octets) => {
    const size = BLOCK + octets.length
    const plain = Buffer.alloc(Math.ceil(size / BLOCK) * BLOCK)
    plain[BLOCK - 1] = domain
    plain.set(octets, BLOCK)
    if (size < plain.length) plain[size] = 0x80
    const mask = size < plain.length ? partial : whole
    const last = plain.subarray(-BLOCK)
    for (let i = 0; i < BLOCK; i++) last[i] = last[i]! ^ mask[i]!
    return encrypt(plain)
  }
}

/** Multiplication by x in GF(2^128). */
function doubled(block: Buffer): Buffer {
  const target = Buffer.alloc(BLOCK)
  for (let i = 0; i < BLOCK; i++) target[i] = ((block[i]! << 1) | ((block[i + 1] ?? 0) >> 7)) & 0xff
  if (block[0]! & 0x80) target[BLOCK - 1] = target[BLOCK - 1]! ^ 0x87
  return target
}
