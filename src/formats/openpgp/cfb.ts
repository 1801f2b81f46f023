/**
 * AES in CFB mode with a zero IV, made of faster modes of the same cipher: OpenSSL does CFB octet by octet around one block at
 * a time, and CBC and ECB in one go.
 *
 * With X(1) = E(0), CFB is C(i) = P(i) ^ X(i), X(i+1) = E(C(i)) = E(P(i) ^ X(i)): the X are the CBC encryption of a zero block
 * followed by the plaintext. In the other direction the X are the ECB encryption of a zero block followed by the ciphertext.
 * Keys go to OpenSSL as key objects: node:crypto takes ten times as long to accept the octets themselves.
 */
import { createCipheriv, createSecretKey } from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const BLOCK = 16
const ZERO_BLOCK = Buffer.alloc(BLOCK)

/** Mail is small: its work is done in memory that is there already. Everything here is synchronous, so it has one user at a time. */
const SCRATCH = Buffer.alloc(128 << 10)

/** A zero block and room for `size` octets, up to the end of a block. Valid until the next call; wiped by its user. */
export function cfbRoom(size: number): Buffer {
  const whole = BLOCK + Math.ceil(size / BLOCK) * BLOCK
  const room = whole <= SCRATCH.length ? SCRATCH.subarray(0, whole) : Buffer.allocUnsafeSlow(whole)
  room.fill(0, 0, BLOCK)
  return room
}

/** Where in the room the octets go. */
export function cfbContent(room: Buffer, size: number): Buffer {
  return room.subarray(BLOCK, BLOCK + size)
}

/** Encrypts the room's first octets into `target`, as many as it takes. */
export function encryptCfb(key: Bytes, room: Buffer, target: Buffer): void {
  const keystream = createCipheriv(`aes-${key.length * 8}-cbc`, createSecretKey(key), room.subarray(0, BLOCK)).update(
    room,
  )
  xor(target, keystream, room.subarray(BLOCK))
  // with the ciphertext it would give the plaintext away
  keystream.fill(0)
}

/**
 * The first block, and the rest in memory of its own: it comes to lie where the cipher has put its blocks, without a copy. At
 * least one block.
 */
export function decryptCfb(key: Bytes, encrypted: Bytes): { readonly first: Buffer; readonly rest: Buffer } {
  const octets = asBuffer(encrypted)
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, createSecretKey(key), null)
  const first = cipher.update(ZERO_BLOCK)
  const rest = cipher.update(octets).subarray(0, octets.length - BLOCK)
  xor(first, first, octets)
  xorAligned(rest, octets.subarray(BLOCK))
  return { first, rest }
}

/** target ^= octets, which may lie anywhere: copied to where eight at a time can be taken. */
function xorAligned(target: Buffer, octets: Buffer): void {
  for (let at = 0; at < octets.length; at += SCRATCH.length) {
    const some = SCRATCH.subarray(0, octets.copy(SCRATCH, 0, at, at + SCRATCH.length))
    const into = target.subarray(at, at + some.length)
    const longs = into.byteOffset % 8 === 0 && some.length >= WORTH_LONGS ? some.length >> 3 : 0
    if (longs > 0) xorLongs(longsOf(into, longs), longsOf(some, longs))
    const [left, by] = [into.subarray(longs * 8), some.subarray(longs * 8)]
    xor(left, left, by)
  }
}

/** target = a ^ b, for all octets of target; four at a time where all three are aligned. */
function xor(target: Buffer, a: Buffer, b: Buffer): void {
  const aligned = (target.byteOffset | a.byteOffset | b.byteOffset) % 4 === 0
  const words = aligned ? target.length >> 2 : 0
  if (words > 0) xorWords(wordsOf(target, words), wordsOf(a, words), wordsOf(b, words))
  for (let i = words * 4; i < target.length; i++) target[i] = a[i]! ^ b[i]!
}

function wordsOf({ buffer, byteOffset }: Buffer, words: number): Int32Array {
  return new Int32Array(buffer, byteOffset, words)
}

/** For little of it V8 makes numbers of the heap, until it has compiled the loop. */
const WORTH_LONGS = 4096

function longsOf({ buffer, byteOffset }: Buffer, longs: number): BigUint64Array {
  return new BigUint64Array(buffer, byteOffset, longs)
}

/** target ^= by, in half the time of `xorWords`: V8 keeps such numbers in registers. */
function xorLongs(target: BigUint64Array, by: BigUint64Array): void {
  const { length } = target
  let i = 0
  for (; i + 4 <= length; i += 4) {
    target[i] = BigInt.asUintN(64, target[i]! ^ by[i]!)
    target[i + 1] = BigInt.asUintN(64, target[i + 1]! ^ by[i + 1]!)
    target[i + 2] = BigInt.asUintN(64, target[i + 2]! ^ by[i + 2]!)
    target[i + 3] = BigInt.asUintN(64, target[i + 3]! ^ by[i + 3]!)
  }
  for (; i < length; i++) target[i] = BigInt.asUintN(64, target[i]! ^ by[i]!)
}

/** Eight at a time: a small loop V8 compiles into its caller, and there it stays three times slower. */
function xorWords(target: Int32Array, a: Int32Array, b: Int32Array): void {
  const { length } = target
  let i = 0
  for (; i + 8 <= length; i += 8) {
    target[i] = a[i]! ^ b[i]!
    target[i + 1] = a[i + 1]! ^ b[i + 1]!
    target[i + 2] = a[i + 2]! ^ b[i + 2]!
    target[i + 3] = a[i + 3]! ^ b[i + 3]!
    target[i + 4] = a[i + 4]! ^ b[i + 4]!
    target[i + 5] = a[i + 5]! ^ b[i + 5]!
    target[i + 6] = a[i + 6]! ^ b[i + 6]!
    target[i + 7] = a[i + 7]! ^ b[i + 7]!
  }
  for (; i < length; i++) target[i] = a[i]! ^ b[i]!
}

/** A buffer of `size` octets whose octet number `at` is aligned for `encryptCfb`. */
export function alignedBuffer(size: number, at: number): Buffer {
  const start = (4 - (at % 4)) % 4
  return asBuffer(new Uint8Array(Buffer.allocUnsafeSlow(size + start).buffer, start, size))
}
