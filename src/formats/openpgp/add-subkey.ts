/** Makes a key that cannot be encrypted to, or only with old algorithms, one that can: with a new Curve25519 subkey. */
import { type Bytes, wipe } from '#lib/bytes.ts'
import { binaryCertificate } from './certificate.ts'
import { hashedKey } from './key-packet.ts'
import { makeKey } from './new-key.ts'
import { PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import { certificateOf, openSecretKeys } from './secret-key.ts'
import { CannotSign } from './sign.ts'
import { SignatureType } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'

/** RFC 9580 §5.2.3.29: communications and storage. */
const ENCRYPTS = Buffer.of(0x0c)

/**
 * An unlocked transferable secret key (binary or armored) with one more encryption subkey, made at `created` (milliseconds since
 * the epoch), and its certificate, both binary. The caller wipes `tsk` and `secret`. Throws CannotSign when the secret of the
 * primary key is not there, LockedSecretKey, MalformedOpenPgp.
 */
export async function withModernSubkey(
  tsk: Bytes,
  created: number,
): Promise<{ readonly secret: Buffer; readonly certificate: Buffer }> {
  const binary = binaryCertificate(tsk)
  try {
    return await withSubkey(binary, created)
  } finally {
    if (binary !== tsk) wipe(binary)
  }
}

async function withSubkey(binary: Bytes, created: number): Promise<{ secret: Buffer; certificate: Buffer }> {
  using keys = openSecretKeys(binary)
  const primary = keys.keys.find((one) => one.key.fingerprint === keys.certificate.fingerprint)
  if (!primary) throw new CannotSign()
  const { version, body } = primary.key
  const subkey = await makeKey(version === 6 ? 'v6-curve25519' : 'curve25519', 'encryption', created)
  const wish = { type: SignatureType.subkeyBinding, created, subpackets: [subpacket(27, ENCRYPTS)] }
  const binding = writeSignature(primary, wish, [hashedKey(version, body), hashedKey(version, subkey.key.body)])
  const added = packet(PacketType.secretSubkey, subkey.body)
  const secret = Buffer.concat([binary, added, binding])
  wipe(subkey.body)
  wipe(added)
  return { secret, certificate: Buffer.from(certificateOf(secret)) }
}
