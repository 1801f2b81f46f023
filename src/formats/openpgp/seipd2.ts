/**
 * Version 2 of the encrypted, integrity-protected container (RFC 9580 §5.13.2): AES with GCM, OCB or EAX in chunks. Written
 * only for certificates that announce it.
 */
import {
  type CipherGCM,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  hkdfSync,
  randomBytes,
} from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { openEax } from './eax.ts'
import { cipherKeySize, IntegrityError, MalformedOpenPgp, PacketType } from './openpgp.ts'

export const Aead = { eax: 1, ocb: 2, gcm: 3 } as const

const NONCE_SIZE = new Map<number, number>([
  [Aead.eax, 16],
  [Aead.ocb, 15],
  [Aead.gcm, 12],
])
const TAG = 16
const SALT = 32
/** version, cipher, AEAD, chunk size, salt */
const HEADER = 4 + SALT
/** What we write: 64 KiB, so that few chunks make a mail and each is checked soon. */
const CHUNK_CODE = 10
/** RFC 9580 §5.13.2: larger chunks must not be written. */
const LARGEST_CHUNK_CODE = 16
/** Each chunk costs a cipher of its own; a message of that many tiny ones is an attack on time. */
const MOST_CHUNKS = 1 << 15

interface Suite {
  readonly name: string
  readonly aead: number
  readonly key: Buffer
  /** The chunk's number goes into its last eight octets. */
  readonly nonce: Buffer
  readonly associated: Buffer
}

function suiteOf(cipher: number, aead: number, chunkCode: number, salt: Bytes, sessionKey: Bytes): Suite {
  const size = cipherKeySize(cipher)
  const nonceSize = NONCE_SIZE.get(aead)
  if (!size || !nonceSize) throw new MalformedOpenPgp('a cipher that may not be used')
  if (sessionKey.length !== size) throw new IntegrityError()
  const associated = Buffer.of(0xc0 | PacketType.seipd, 2, cipher, aead, chunkCode)
  const derived = Buffer.from(hkdfSync('sha256', sessionKey, salt, associated, size + nonceSize - 8))
  const nonce = Buffer.alloc(nonceSize)
  derived.copy(nonce, 0, size)
  const mode = aead === Aead.gcm ? 'gcm' : 'ocb'
  return { name: `aes-${size * 8}-${mode}`, aead, key: derived.subarray(0, size), nonce, associated }
}

function nonceOf(suite: Suite, index: number): Buffer {
  suite.nonce.writeBigUInt64BE(BigInt(index), suite.nonce.length - 8)
  return suite.nonce
}

function finalAssociated(suite: Suite, size: number): Buffer {
  const target = Buffer.concat([suite.associated, Buffer.alloc(8)])
  target.writeBigUInt64BE(BigInt(size), target.length - 8)
  return target
}

/** The container's body in pieces. `aead` is OCB or GCM. */
export function encryptSeipd2(plain: Bytes, cipher: number, aead: number, sessionKey: Bytes): Buffer[] {
  const salt = randomBytes(SALT)
  const suite = suiteOf(cipher, aead, CHUNK_CODE, salt, sessionKey)
  const pieces: Buffer[] = [Buffer.of(2, cipher, aead, CHUNK_CODE), salt]
  const chunk = 1 << (CHUNK_CODE + 6)
  let index = 0
  for (let at = 0; at < plain.length; at += chunk, index++) {
    pieces.push(...encryptChunk(suite, index, suite.associated, plain.subarray(at, at + chunk)))
  }
  pieces.push(...encryptChunk(suite, index, finalAssociated(suite, plain.length), Buffer.alloc(0)))
  suite.key.fill(0)
  return pieces
}

// the types know GCM's and OCB's interface as one only for GCM names
const cipherName = (suite: Suite) => suite.name as CipherGCMTypes

function encryptChunk(suite: Suite, index: number, associated: Buffer, plain: Bytes): Buffer[] {
  const options = { authTagLength: TAG }
  const cipher: CipherGCM = createCipheriv(cipherName(suite), suite.key, nonceOf(suite, index), options)
  cipher.setAAD(associated)
  return [cipher.update(plain), cipher.final(), cipher.getAuthTag()]
}

/** Octets of a container body for `size` octets of plaintext, as `encryptSeipd2` makes it. */
export function seipd2Size(size: number): number {
  return HEADER + size + Math.ceil(size / (1 << (CHUNK_CODE + 6))) * TAG + TAG
}

/** Takes the container's body; answers the plaintext once all tags are found right. `cipher` 0: as the container says. */
export function decryptSeipd2(body: Bytes, { cipher, key }: { readonly cipher: number; readonly key: Bytes }): Buffer {
  if (body.length < HEADER + TAG) throw new IntegrityError()
  const [, named, aead, chunkCode] = body as unknown as [number, number, number, number]
  if (chunkCode > LARGEST_CHUNK_CODE) throw new MalformedOpenPgp('chunks too large')
  if (cipher !== 0 && cipher !== named) throw new IntegrityError()
  const suite = suiteOf(named, aead, chunkCode, body.subarray(4, HEADER), key)
  const encrypted = asBuffer(body).subarray(HEADER, body.length - TAG)
  const stride = (1 << (chunkCode + 6)) + TAG
  const chunks = Math.ceil(encrypted.length / stride)
  if (chunks > MOST_CHUNKS) throw new MalformedOpenPgp('too many chunks')
  const size = encrypted.length - chunks * TAG
  if (size < 0) throw new IntegrityError()
  const plain = Buffer.allocUnsafe(size)
  try {
    for (let index = 0; index < chunks; index++) {
      const from = index * stride
      const opened = decryptChunk(suite, index, suite.associated, encrypted.subarray(from, from + stride))
      plain.set(opened, index * (stride - TAG))
    }
    // RFC 9580 §5.13.2: the last tag is over nothing, and says how much there was
    decryptChunk(suite, chunks, finalAssociated(suite, size), body.subarray(body.length - TAG))
  } catch {
    plain.fill(0)
    throw new IntegrityError()
  } finally {
    suite.key.fill(0)
  }
  return plain
}

function decryptChunk(suite: Suite, index: number, associated: Buffer, chunk: Bytes): Buffer {
  const encrypted = chunk.subarray(0, chunk.length - TAG)
  const tag = chunk.subarray(chunk.length - TAG)
  const nonce = nonceOf(suite, index)
  if (suite.aead === Aead.eax) return openEax(suite.key, nonce, associated, encrypted, tag)
  const cipher = createDecipheriv(cipherName(suite), suite.key, nonce, { authTagLength: TAG })
  cipher.setAAD(associated)
  cipher.setAuthTag(tag)
  const plain = cipher.update(encrypted)
  const rest = cipher.final()
  return rest.length === 0 ? plain : Buffer.concat([plain, rest])
}
