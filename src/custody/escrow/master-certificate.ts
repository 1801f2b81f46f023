/** The public half of the master key, as the server may believe it. */
import { dearmor, isArmored } from '#formats/openpgp/armor.ts'
import { encryptionKeysAt, verifyCertificate } from '#formats/openpgp/certificate.ts'
import { parseSecretPacket } from '#formats/openpgp/key-packet.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import type { Bytes } from '#lib/bytes.ts'
import { EscrowRefused } from './escrow.ts'

export interface MasterCertificate {
  /** Binary. */
  readonly certificate: Bytes
  /** Upper-case hex. */
  readonly fingerprint: string
  /** Its first user id; what the operator called it. */
  readonly name: string
}

/** The certificate, a file that anybody could exchange, is not the one that the operator noted elsewhere. */
export class WrongMaster extends EscrowRefused {
  override readonly name = 'WrongMaster'
}

/** Fingerprints are typed with spaces and in either case. */
export const plainFingerprint = (text: string): string => text.replace(/[\s:]/g, '').toUpperCase()

/**
 * Reads a master certificate, binary or armored. Only what its own signatures bind at `now` counts, so that nobody puts an encryption
 * subkey of theirs below a primary key that is not. Throws WrongMaster when it is not the pinned one or nothing may be sealed to it.
 */
export function readMasterCertificate(octets: Bytes, pin: string, now: number): MasterCertificate {
  const certificate = verified(octets, now)
  const { fingerprint } = certificate
  if (plainFingerprint(pin) !== fingerprint) {
    throw new WrongMaster(
      `the master certificate has fingerprint ${fingerprint}, and the configuration names ${plainFingerprint(pin) || 'none'}: ` +
        'compare both with what `escrow init` printed, and find out who changed one of them',
    )
  }
  if (certificate.revoked || encryptionKeysAt(certificate, now).length === 0) {
    throw new WrongMaster(`the master certificate ${fingerprint} is revoked or has expired: make a new master key`)
  }
  return { certificate: certificate.bytes, fingerprint, name: certificate.userIds[0] ?? '' }
}

function verified(octets: Bytes, now: number) {
  try {
    return verifyCertificate(octets, now)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) {
      throw new WrongMaster(`the master certificate cannot be read (${error.message}): give the file escrow-master.asc`)
    }
    throw error
  }
}

/** Whose secret a file holds, read from what is not locked in it. Throws WrongMaster. */
export function masterFingerprint(secret: Bytes): string {
  try {
    const [primary] = readPackets(isArmored(secret) ? dearmor(secret).octets : secret)
    if (primary?.type === PacketType.secretKey) return parseSecretPacket(primary.body).key.fingerprint
  } catch (error) {
    if (!(error instanceof MalformedOpenPgp)) throw error
  }
  throw new WrongMaster('this is no OpenPGP secret key: give the file escrow-secret.asc, as `escrow init` wrote it')
}
