/**
 * Version 1 of the encrypted, integrity-protected container (RFC 9580 §5.13.1): AES in CFB mode over the plaintext and its
 * SHA-1. Every program that speaks OpenPGP reads it.
 */
import { createHash, hash, timingSafeEqual } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { fillRandom } from '#lib/random.ts'
import { cfbContent, cfbRoom, decryptCfb, encryptCfb } from './cfb.ts'
import { cipherKeySize, IntegrityError, MalformedOpenPgp, PacketType } from './openpgp.ts'
import type { SessionKey } from './session-key.ts'

/** Random block, its last two octets again. */
const PREFIX = 18
/** Header of the modification detection packet, and all of it. */
const MDC_HEADER = [0xc0 | PacketType.mdc, 20]
const MDC = 22

/** Octets of a container body for `size` octets of plaintext. */
export function seipd1Size(size: number): number {
  return 1 + PREFIX + size + MDC
}

/** Writes a container's body into `target`, which has its size; `fill` writes the plaintext where it is told to. */
export function writeSeipd1(target: Buffer, { cipher, key }: SessionKey, fill: (plain: Buffer) => void): void {
  checkKey(cipher, key)
  const size = target.length - 1
  const room = cfbRoom(size)
  const whole = cfbContent(room, size)
  try {
    fillRandom(whole.subarray(0, 16))
    whole[16] = whole[14]!
    whole[17] = whole[15]!
    const end = size - MDC
    fill(whole.subarray(PREFIX, end))
    whole.set(MDC_HEADER, end)
    whole.set(hash('sha1', whole.subarray(0, end + 2), 'buffer'), end + 2)
    target[0] = 1
    encryptCfb(key, room, target.subarray(1))
  } finally {
    room.fill(0)
  }
}

/**
 * Takes the container's body; answers the plaintext once its hash is found right. It lies in memory of its own, with what else was
 * encrypted. Throws IntegrityError, MalformedOpenPgp.
 */
export function decryptSeipd1(body: Bytes, { cipher, key }: SessionKey): Buffer {
  if (body.length < seipd1Size(0)) throw new IntegrityError()
  checkKey(cipher, key)
  const { first, rest } = decryptCfb(key, body.subarray(1))
  const end = rest.length - MDC
  const hashed = rest.subarray(0, end + MDC_HEADER.length)
  const digest = createHash('sha1').update(first).update(hashed).digest()
  // RFC 9580 §5.13.1: the repeated octets of the prefix are not looked at, they would be an oracle
  const intact = timingSafeEqual(digest, rest.subarray(end + MDC_HEADER.length))
  if (!intact || rest[end] !== MDC_HEADER[0] || rest[end + 1] !== MDC_HEADER[1]) {
    rest.fill(0)
    throw new IntegrityError()
  }
  return rest.subarray(PREFIX - first.length, end)
}

function checkKey(cipher: number, key: Bytes): void {
  const size = cipherKeySize(cipher)
  if (!size) throw new MalformedOpenPgp('a cipher that may not be used')
  if (size !== key.length) throw new IntegrityError()
}
