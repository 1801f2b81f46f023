/** KEYS, CERTS and PASSWORD arguments. */
import { type ArmorLabel, dearmorAll, isArmored } from '#formats/openpgp/armor.ts'
import { type Certificate, verifyCertificate } from '#formats/openpgp/certificate.ts'
import { loadEngine } from '#formats/openpgp/engine.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { openSecretKeys, type SecretKeys } from '#formats/openpgp/secret-key.ts'
import { LockedSecretKey } from '#formats/openpgp/secret-material.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Call } from './call.ts'
import { SopFailure } from './failure.ts'

/** Certificates in binary, one by one. */
function certificatesIn(octets: Buffer): readonly Buffer[] {
  return split(octets, 'PUBLIC KEY BLOCK', PacketType.publicKey)
}

/** Transferable secret keys in binary, one by one, locked or not. */
export function secretKeysIn(octets: Buffer): readonly Buffer[] {
  return split(octets, 'PRIVATE KEY BLOCK', PacketType.secretKey)
}

function split(octets: Buffer, label: ArmorLabel, first: number): readonly Buffer[] {
  const blocks = isArmored(octets) ? dearmorAll(octets) : [{ label, octets }]
  if (blocks.some((block) => block.label !== label)) throw new MalformedOpenPgp(`not a ${label}`)
  const found: Bytes[][] = []
  for (const { octets: packets } of blocks) {
    for (const one of readPackets(packets)) {
      if (one.type === PacketType.marker || one.type === PacketType.padding) continue
      if (one.type === first) found.push([])
      else if (one.type === PacketType.publicKey || one.type === PacketType.secretKey) found.length = 0
      const group = found.at(-1)
      if (!group) throw new MalformedOpenPgp(`not a ${label}`)
      group.push(one.octets)
    }
  }
  if (found.length === 0) throw new MalformedOpenPgp(`not a ${label}`)
  return found.map((group) => Buffer.concat(group))
}

export function readCertificates(call: Call, designators: readonly string[]): readonly Buffer[] {
  return designators.flatMap((designator) => certificatesIn(call.read(designator)))
}

/** KEYS, unlocked with `--with-key-password` where they are locked. */
export async function readSecretKeys(call: Call, designators: readonly string[]): Promise<readonly SecretKeys[]> {
  const passwords = call.all('with-key-password').map((designator) => call.read(designator))
  const found: SecretKeys[] = []
  for (const designator of designators) {
    for (const tsk of secretKeysIn(call.read(designator))) found.push(openSecretKeys(await unlocked(tsk, passwords)))
  }
  return found
}

/** An unlocked form of the key. */
export async function unlocked(tsk: Buffer, passwords: readonly Buffer[]): Promise<Buffer> {
  try {
    openSecretKeys(tsk).wipe()
    return tsk
  } catch (error) {
    if (!(error instanceof LockedSecretKey)) throw error
  }
  const engine = await loadEngine()
  const privateKey = await engine.readPrivateKey({ binaryKey: new Uint8Array(tsk) }).catch(() => {
    throw new SopFailure('BAD_DATA', 'the secret key cannot be read')
  })
  for (const passphrase of passwords.flatMap(candidates)) {
    const opened = await engine.decryptKey({ privateKey, passphrase }).catch(() => null)
    if (opened) return Buffer.from(opened.write())
  }
  throw new SopFailure('KEY_IS_PROTECTED', 'the secret key is locked, and no given password opens it')
}

/** Draft § PASSWORD: as it stands, and without white space at its end. */
export function candidates(password: Buffer): readonly string[] {
  const whole = password.toString('utf8')
  return [...new Set([whole.trimEnd(), whole])]
}

/** A password that locks something new: people must be able to type it. */
export function newPassword(octets: Buffer): Buffer {
  const text = octets.toString('utf8').trimEnd()
  const readable = Buffer.from(text).equals(octets.subarray(0, Buffer.byteLength(text))) && !/\p{Cc}/u.test(text)
  if (!readable)
    throw new SopFailure('PASSWORD_NOT_HUMAN_READABLE', 'the password is not text without control characters')
  return Buffer.from(text)
}

/** The keys with what their certificate says today; only then may they sign. */
export function signersOf(keys: readonly SecretKeys[], now: number): readonly SecretKeys[] {
  return keys.map((one) => {
    const certificate = certificateNow(one.certificate.bytes, now)
    const expired = certificate?.expires != null && certificate.expires <= now
    if (!certificate || certificate.revoked || expired) {
      throw new SopFailure('KEY_CANNOT_SIGN', 'a key is expired, revoked, or not valid')
    }
    return { ...one, certificate }
  })
}

/** null: nothing valid in it. */
export function certificateNow(octets: Bytes, now: number): Certificate | null {
  try {
    return verifyCertificate(octets, now)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}
