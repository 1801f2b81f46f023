/**
 * Unlocks secret keys that somebody made elsewhere and locked with a passphrase (RFC 9580 §3.7.2): the only way in for an
 * imported key. What node:crypto cannot open is refused by name, with what to do about it.
 */
import { createDecipheriv, createSecretKey, hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { dearmor, isArmored } from './armor.ts'
import { openEax } from './eax.ts'
import { type PublicKeyPacket, parseSecretPacket, UnknownSecretKey } from './key-packet.ts'
import { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { type Packet, packet, readPackets } from './packets.ts'
import { deriveKey, readS2k, type S2k, unsupportedS2k } from './s2k.ts'
import { sumOf } from './secret-material.ts'
import { Aead } from './seipd2.ts'

/** The passphrase does not open the key. Says nothing else: whichever check failed. */
export class WrongPassphrase extends Error {
  override readonly name = 'WrongPassphrase'
  constructor() {
    super('the passphrase does not open this key')
  }
}

/** The key is locked and no passphrase was given. */
export class PassphraseNeeded extends Error {
  override readonly name = 'PassphraseNeeded'
  constructor() {
    super('the key is locked: its passphrase is needed')
  }
}

/** The key is locked in a way that is not opened here, or its secrets are not in it. The message says why and what to do. */
export class UnsupportedLock extends Error {
  override readonly name = 'UnsupportedLock'
}

/** A key has a primary and a few subkeys; each lock may cost a derivation. */
const MOST_SECRETS = 32
const LARGEST = 4 << 20

/**
 * A transferable secret key, binary or armored, in binary with all its secrets unlocked. The caller wipes `tsk`, `passphrase`
 * and the result. A secret that is not there (a stub, or left out by `--export-secret-subkeys`) leaves a public packet in its
 * place; `openSecretKeys` and `certificateOf` read that.
 *
 * Throws PassphraseNeeded, WrongPassphrase, UnsupportedLock, MalformedOpenPgp. `passphrase` is not looked at when nothing is
 * locked.
 */
export async function unlockSecretKey(tsk: Bytes, passphrase: Buffer | null): Promise<Buffer> {
  if (!isArmored(tsk)) return unlockBinary(tsk, passphrase)
  const { octets } = dearmor(tsk)
  try {
    return await unlockBinary(octets, passphrase)
  } finally {
    wipe(octets)
  }
}

async function unlockBinary(tsk: Bytes, passphrase: Buffer | null): Promise<Buffer> {
  const parts = readLocks(tsk)
  checkLocks(parts)
  const derived = new DerivedKeys(passphrase)
  const fresh: Bytes[] = []
  const unlocked: Bytes[] = []
  try {
    for (const part of parts) {
      if (!isLock(part)) unlocked.push(part)
      else if (!part.s2k) unlocked.push(part.packet.octets)
      else {
        const octets = await unlockPacket(part, part.s2k, derived)
        fresh.push(octets)
        unlocked.push(octets)
      }
    }
    return Buffer.concat(unlocked)
  } finally {
    derived.wipe()
    for (const octets of fresh) wipe(octets)
  }
}

const isSecret = ({ type }: Packet) => type === PacketType.secretKey || type === PacketType.secretSubkey

/** Throws MalformedOpenPgp unless this is one secret key, and no more than that. */
function* secretKeyPackets(octets: Bytes): Generator<Packet, void> {
  if (octets.length > LARGEST) throw new MalformedOpenPgp('secret key too large')
  let secrets = 0
  let isFirst = true
  for (const one of readPackets(octets)) {
    if (one.type === PacketType.marker || one.type === PacketType.padding || one.type === PacketType.trust) continue
    const isPrimary = one.type === PacketType.secretKey || one.type === PacketType.publicKey
    if (isFirst && !isPrimary) throw new MalformedOpenPgp('not a secret key')
    if (!isFirst && isPrimary) throw new MalformedOpenPgp('more than one key')
    if (isSecret(one) && ++secrets > MOST_SECRETS) throw new MalformedOpenPgp('too many secret keys')
    isFirst = false
    yield one
  }
  if (secrets === 0) throw new MalformedOpenPgp('not a secret key')
}

/** A secret key packet and how it is locked. */
interface Lock {
  readonly packet: Packet
  readonly key: PublicKeyPacket
  readonly usage: number
  /** null: not locked. */
  readonly s2k: S2k | null
  readonly cipher: number
  readonly aead: number
  /** IV or nonce. */
  readonly start: Bytes
  /** Locked or not: what stands where the secret fields are. */
  readonly secret: Bytes
}

/** RFC 9580 §3.7.2.1 */
const USAGE = { open: 0, aead: 253, sha1: 254, sum: 255 } as const
const MD5 = 1

const isLock = (part: Lock | Bytes): part is Lock => !(part instanceof Uint8Array)

/** Secret key packets and what stands between them. */
function readLocks(tsk: Bytes): (Lock | Bytes)[] {
  const parts: (Lock | Bytes)[] = []
  let isLeftOut = false
  for (const one of secretKeyPackets(tsk)) {
    if (one.type !== PacketType.signature) isLeftOut = false
    const part = isSecret(one) ? readLock(one) : one.octets
    if (part === null) isLeftOut = true
    else if (!isLeftOut) parts.push(part)
  }
  return parts
}

/** null: a subkey of an unknown algorithm, which cannot be told from its secret and is left out with its signatures. */
function readLock(from: Packet): Lock | null {
  try {
    const { key, rest } = parseSecretPacket(from.body)
    return lockOf(from, key, rest)
  } catch (error) {
    if (error instanceof UnknownSecretKey && from.type === PacketType.secretSubkey) return null
    throw error
  }
}

const NOTHING = Buffer.alloc(0)

function lockOf(from: Packet, key: PublicKeyPacket, rest: OctetReader): Lock {
  const usage = rest.u8()
  const base = { packet: from, key, usage, s2k: null, cipher: 0, aead: 0, start: NOTHING }
  if (usage === USAGE.open) return { ...base, secret: rest.rest() }
  // RFC 9580 §5.5.3: version 6 counts the octets of the parameters, and has only locks with a strong check
  if (key.version === 6 && usage !== USAGE.aead && usage !== USAGE.sha1)
    throw new MalformedOpenPgp('lock of a wrong kind')
  const fields = key.version === 6 ? new OctetReader(rest.take(rest.u8())) : rest
  const isLegacy = usage < USAGE.aead
  const cipher = isLegacy ? usage : fields.u8()
  const aead = usage === USAGE.aead ? fields.u8() : 0
  const specifier = key.version === 6 ? new OctetReader(fields.take(fields.u8())) : fields
  const s2k: S2k = isLegacy ? { kind: 'simple', hash: MD5 } : readS2k(specifier)
  const known = CIPHERS.get(cipher)
  const size = aead ? NONCE_SIZES.get(aead) : known?.block
  const start = s2k.kind === 'absent' || !size ? NOTHING : fields.take(size)
  const left = key.version === 6 && size ? fields.left + specifier.left : 0
  if (left > 0) throw new MalformedOpenPgp('lock of a wrong size')
  return { ...base, s2k, cipher, aead, start, secret: rest.rest() }
}

interface LockCipher {
  readonly name: string
  readonly key: number
  readonly block: number
}

/** RFC 9580 §9.3: those that node:crypto has. */
const CIPHERS = new Map<number, LockCipher>([
  [2, { name: 'des-ede3', key: 24, block: 8 }],
  [7, { name: 'aes-128', key: 16, block: 16 }],
  [8, { name: 'aes-192', key: 24, block: 16 }],
  [9, { name: 'aes-256', key: 32, block: 16 }],
  [11, { name: 'camellia-128', key: 16, block: 16 }],
  [12, { name: 'camellia-192', key: 24, block: 16 }],
  [13, { name: 'camellia-256', key: 32, block: 16 }],
])

const OTHER_CIPHERS = new Map([
  [1, 'IDEA'],
  [3, 'CAST5'],
  [4, 'Blowfish'],
  [10, 'Twofish'],
])

const NONCE_SIZES = new Map<number, number>([
  [Aead.eax, 16],
  [Aead.ocb, 15],
  [Aead.gcm, 12],
])

const FIRST_AES = 7
const LAST_AES = 9

/** GnuPG 2.1 and newer lock with AES-128 whatever they are told, and open all that GnuPG 1 made. */
const REMEDY =
  'Import it into GnuPG 2.1 or newer (gpg --import FILE) and export it from there ' +
  '(gpg --export-secret-keys FINGERPRINT): it is then locked with AES.'

/** Before anything is derived: a lock that cannot be opened is said at once, and not asked a passphrase for. */
function checkLocks(parts: readonly (Lock | Bytes)[]): void {
  const locks = parts.filter(isLock)
  for (const { s2k, cipher, aead } of locks) {
    if (!s2k || s2k.kind === 'absent') continue
    const reason = unsupportedS2k(s2k) ?? unsupportedCipher(cipher, aead)
    if (reason) throw new UnsupportedLock(`The key is locked with ${reason}, which is not opened here. ${REMEDY}`)
  }
  if (locks.every(({ s2k }) => s2k?.kind === 'absent')) {
    throw new UnsupportedLock(
      'The file has no secret in it, only stubs: the secret is on a smartcard or was left out. ' +
        'Export it where the secret is, or use the certificate alone.',
    )
  }
}

function unsupportedCipher(cipher: number, aead: number): string | null {
  if (!CIPHERS.has(cipher)) return OTHER_CIPHERS.get(cipher) ?? `cipher ${cipher}`
  if (aead === 0) return null
  if (!NONCE_SIZES.has(aead)) return `AEAD mode ${aead}`
  // RFC 9580 §9.3: AEAD only with ciphers of 16-octet blocks; node:crypto has these modes for AES alone
  return cipher >= FIRST_AES && cipher <= LAST_AES ? null : `cipher ${cipher} in an AEAD mode`
}

/** Keys of locks by what they are derived from: equal ones are derived once. */
class DerivedKeys {
  readonly #passphrase: Buffer | null
  readonly #keys = new Map<string, Buffer>()

  constructor(passphrase: Buffer | null) {
    this.#passphrase = passphrase
  }

  async of(s2k: S2k, size: number): Promise<Buffer> {
    if (!this.#passphrase) throw new PassphraseNeeded()
    const name = JSON.stringify([s2k, size])
    const found = this.#keys.get(name) ?? (await deriveKey(s2k, this.#passphrase, size))
    this.#keys.set(name, found)
    return found
  }

  wipe(): void {
    for (const key of this.#keys.values()) wipe(key)
    this.#keys.clear()
  }
}

async function unlockPacket(lock: Lock, s2k: S2k, derived: DerivedKeys): Promise<Bytes> {
  const { key } = lock
  const { type } = lock.packet
  if (s2k.kind === 'absent') {
    return packet(type === PacketType.secretKey ? PacketType.publicKey : PacketType.publicSubkey, key.body)
  }
  const secret = decrypt(lock, await derived.of(s2k, CIPHERS.get(lock.cipher)!.key))
  try {
    // RFC 9580 §5.5.3: unlocked, version 4 ends with the sum of its octets
    return packet(type, key.body, Buffer.of(USAGE.open), secret, key.version === 4 ? sumOf(secret) : NOTHING)
  } finally {
    wipe(secret)
  }
}

/** The secret fields, once their check has passed. Throws WrongPassphrase. */
function decrypt(lock: Lock, key: Buffer): Buffer {
  if (lock.usage === USAGE.aead) return decryptAead(lock, key)
  const { name } = CIPHERS.get(lock.cipher)!
  const plain = createDecipheriv(`${name}-cfb`, createSecretKey(key), lock.start).update(asBuffer(lock.secret))
  const check = lock.usage === USAGE.sha1 ? 20 : 2
  const fields = plain.subarray(0, Math.max(0, plain.length - check))
  const expected = lock.usage === USAGE.sha1 ? hash('sha1', fields, 'buffer') : sumOf(fields)
  const isRight = plain.length > check && timingSafeEqual(expected, plain.subarray(fields.length))
  wipe(expected)
  if (isRight) return fields
  wipe(plain)
  throw new WrongPassphrase()
}

const TAG = 16

/** RFC 9580 §3.7.2.1 */
function decryptAead({ packet, key, cipher, aead, start, secret }: Lock, derived: Buffer): Buffer {
  const type = 0xc0 | packet.type
  const associated = Buffer.concat([Buffer.of(type), key.body])
  const kek = Buffer.from(hkdfSync('sha256', derived, '', Buffer.of(type, key.version, cipher, aead), derived.length))
  const [encrypted, tag] = [secret.subarray(0, -TAG), secret.subarray(-TAG)]
  try {
    if (aead === Aead.eax) return openEax(kek, start, associated, encrypted, tag)
    const name = `${CIPHERS.get(cipher)!.name}-${aead === Aead.gcm ? 'gcm' : 'ocb'}` as 'aes-256-gcm'
    const decipher = createDecipheriv(name, kek, start, { authTagLength: TAG })
    decipher.setAAD(associated).setAuthTag(tag)
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch {
    throw new WrongPassphrase()
  } finally {
    wipe(kek)
  }
}
