/** generate-key, extract-cert, change-key-password, revoke-key. */
import { loadEngine } from '#formats/openpgp/engine.ts'
import { makeTransferableKey } from '#formats/openpgp/generate.ts'
import { hashedKey } from '#formats/openpgp/key-packet.ts'
import { lockSecretKey } from '#formats/openpgp/lock.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { certificateOf, openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { SignatureType } from '#formats/openpgp/signature.ts'
import { subpacket, writeSignature } from '#formats/openpgp/signature-write.ts'
import type { Call } from './call.ts'
import { SopFailure } from './failure.ts'
import { newPassword, secretKeysIn, unlocked } from './keys.ts'
import { keyProfile } from './profiles.ts'

export async function generateKey(call: Call): Promise<void> {
  const profile = keyProfile(call.one('profile'))
  const password = optionalPassword(call, 'with-key-password')
  const created = new Date(call.now)
  const encrypts = !call.has('signing-only')
  if (profile.version === 6) {
    const secret = await generateVersion6(call.positionals, created, encrypts)
    return call.writePackets('PRIVATE KEY BLOCK', password ? await lockForeign(secret, password) : secret, false)
  }
  const { secret } = await makeTransferableKey({
    userIds: call.positionals,
    algorithm: profile.algorithm,
    created,
    encrypts,
  })
  await call.writePackets('PRIVATE KEY BLOCK', password ? await lockSecretKey(secret, password) : secret)
}

async function generateVersion6(userIds: readonly string[], date: Date, encrypts: boolean): Promise<Buffer> {
  const engine = await loadEngine()
  const { privateKey } = await engine.generateKey({
    type: 'curve25519',
    userIDs: userIds.map((name) => ({ name })),
    date,
    format: 'binary',
    config: { v6Keys: true, aeadProtect: true },
    ...(encrypts ? {} : { subkeys: [] }),
  })
  return Buffer.from(privateKey)
}

function optionalPassword(call: Call, name: string): Buffer | null {
  const designator = call.one(name)
  return designator === null ? null : newPassword(call.read(designator))
}

export async function extractCert(call: Call): Promise<void> {
  const certificates = secretKeysIn(await call.stdin()).map(certificateOf)
  await call.writePackets('PUBLIC KEY BLOCK', Buffer.concat(certificates), certificates.every(isVersion4))
}

/** Of the first packet. */
function isVersion4(octets: Uint8Array): boolean {
  for (const { body } of readPackets(octets)) return body[0] === 4
  return false
}

export async function changeKeyPassword(call: Call): Promise<void> {
  const next = optionalPassword(call, 'new-key-password')
  const old = call.all('old-key-password').map((designator) => call.read(designator))
  const changed: Buffer[] = []
  for (const tsk of secretKeysIn(await call.stdin())) {
    const open = await unlocked(tsk, old)
    changed.push(next ? await lock(open, next) : open)
  }
  await call.writePackets('PRIVATE KEY BLOCK', Buffer.concat(changed), changed.every(isVersion4))
}

function lock(tsk: Buffer, password: Buffer): Promise<Buffer> {
  return isVersion4(tsk) ? lockSecretKey(tsk, password) : lockForeign(tsk, password)
}

/** Version 6 keys are locked as RFC 9580 §3.7.2.1 wants it, with AEAD. */
async function lockForeign(tsk: Buffer, password: Buffer): Promise<Buffer> {
  const engine = await loadEngine()
  const { s2k } = engine.enums
  const privateKey = await engine.readPrivateKey({ binaryKey: new Uint8Array(tsk) })
  const config = { aeadProtect: true, s2kType: s2k.argon2 as typeof s2k.argon2 }
  const locked = await engine.encryptKey({ privateKey, passphrase: password.toString('utf8'), config })
  return Buffer.from(locked.write())
}

export async function revokeKey(call: Call): Promise<void> {
  const passwords = call.all('with-key-password').map((designator) => call.read(designator))
  const revoked: Buffer[] = []
  for (const tsk of secretKeysIn(await call.stdin()))
    revoked.push(revocationOf(await unlocked(tsk, passwords), call.now))
  await call.writePackets('PUBLIC KEY BLOCK', Buffer.concat(revoked), revoked.every(isVersion4))
}

/** The certificate with a revocation behind its primary key; reason 0, which looks back (RFC 9580 §5.2.3.31). */
function revocationOf(tsk: Buffer, created: number): Buffer {
  const { certificate, keys } = openSecretKeys(tsk)
  const primary = keys.find(({ key }) => key.fingerprint === certificate.fingerprint)
  if (!primary) throw new SopFailure('UNSUPPORTED_ASYMMETRIC_ALGO', 'the primary key cannot sign here')
  const [first, ...rest] = [...readPackets(certificate.bytes)].map(({ octets }) => octets)
  if (!first) throw new MalformedOpenPgp('an empty certificate')
  const wish = { type: SignatureType.keyRevocation, created, subpackets: [subpacket(29, Buffer.of(0))] }
  const revocation = writeSignature(primary, wish, [hashedKey(primary.key.version, primary.key.body)])
  return Buffer.concat([first, revocation, ...rest])
}
