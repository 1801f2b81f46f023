/**
 * Unlocked secret keys: takes session keys out and signs. Only the vault process and `letterlock sop` import this.
 *
 * The public half of every key is computed from the secret and compared with what the packet says, so that a changed packet
 * cannot make a key misbehave. The raw secret lives only in node:crypto's key objects.
 */
import type { Bytes } from '#lib/bytes.ts'
import { dearmor, isArmored } from './armor.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { parsePublicKey, parseSecretPacket, UnknownSecretKey } from './key-packet.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { type Packet, packet, readPackets } from './packets.ts'
import { decryptSessionKey } from './pkesk-open.ts'
import { readSecret, type SecretKey } from './secret-material.ts'
import type { SessionKey } from './session-key.ts'

/** Dispose or `wipe` it when the account's last session ends. */
export interface SecretKeys extends Disposable {
  readonly certificate: Certificate
  /** All keys that node:crypto can use, primary first. Empty after `wipe`. */
  readonly keys: readonly SecretKey[]
  wipe(): void
}

/**
 * Opens an unlocked transferable secret key (RFC 9580 §10.2), binary or armored. The caller keeps and wipes `tsk`. Throws
 * MalformedOpenPgp, also when a public half does not belong to its secret, and LockedSecretKey.
 */
export function openSecretKeys(tsk: Bytes): SecretKeys {
  const { certificate, secrets } = splitSecretKey(isArmored(tsk) ? dearmor(tsk).octets : tsk)
  const keys: SecretKey[] = []
  for (const body of secrets) {
    const { key, rest } = parseSecretPacket(body)
    const object = readSecret(key, rest)
    // in octets of its own: those it was read from are wiped
    if (object) keys.push({ key: parsePublicKey(Buffer.from(key.body)), object })
  }
  const forget = () => {
    keys.length = 0
  }
  return { certificate: parseCertificate(certificate), keys, wipe: forget, [Symbol.dispose]: forget }
}

/** The public half of a transferable secret key, locked or not (RFC 9580 §10.1). Throws MalformedOpenPgp. */
export function certificateOf(tsk: Bytes): Bytes {
  return splitSecretKey(isArmored(tsk) ? dearmor(tsk).octets : tsk).certificate
}

/** A key without its secret stands as a public packet among the secret ones. */
function splitSecretKey(tsk: Bytes): { certificate: Buffer; secrets: Bytes[] } {
  const publicPackets: Bytes[] = []
  const secrets: Bytes[] = []
  let isLeftOut = false
  for (const one of readPackets(tsk)) {
    const isSecret = one.type === PacketType.secretKey || one.type === PacketType.secretSubkey
    if (one.type !== PacketType.signature) isLeftOut = false
    const open = isSecret ? publicPacket(one) : one.octets
    if (!open) isLeftOut = true
    else if (!isLeftOut) publicPackets.push(open)
    if (isSecret && open) secrets.push(one.body)
  }
  if (secrets.length === 0) throw new MalformedOpenPgp('not a secret key')
  return { certificate: Buffer.concat(publicPackets), secrets }
}

/** null: a subkey of an algorithm that we do not know, to be left out with its signatures. */
function publicPacket({ type, body }: Packet): Buffer | null {
  try {
    const publicType = type === PacketType.secretKey ? PacketType.publicKey : PacketType.publicSubkey
    return packet(publicType, parseSecretPacket(body).key.body)
  } catch (error) {
    if (error instanceof UnknownSecretKey && type === PacketType.secretSubkey) return null
    throw error
  }
}

/**
 * Takes the session key out of one PKESK's body. null: it is not for these keys. Throws UndecryptableSessionKey when it is and
 * cannot be decrypted, whatever the cause.
 */
export function sessionKeyOf(keys: SecretKeys, pkesk: Bytes): SessionKey | null {
  return decryptSessionKey(keys.keys, pkesk)
}
