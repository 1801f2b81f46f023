/** Signed messages in one pass (RFC 9580 §5.4, §10.3): announcement, content, signature. */
import type { Bytes } from '#lib/bytes.ts'
import { signatureBodies } from './cleartext.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import { literalHead } from './seal.ts'
import { parseSignature, type Signature } from './signature.ts'

/** What comes before and after `size` octets of content to make them a message with these signature packets. */
export function signedFrame(signatures: Bytes, size: number, format: 'b' | 'u'): { head: Buffer; tail: Bytes } {
  const bodies = signatures.length === 0 ? [] : signatureBodies(signatures)
  // the first announcement belongs to the last signature
  const announcements = bodies.map((body, index) => onePass(body, index === 0)).reverse()
  return { head: Buffer.concat([...announcements, literalHead(size, format)]), tail: signatures }
}

function onePass(body: Bytes, isLast: boolean): Buffer {
  const signature = parseSignature(body)
  if (!signature?.issuer) throw new MalformedOpenPgp('a signature without issuer')
  const issuer = Buffer.from(signature.issuer, 'hex')
  return packet(PacketType.onePass, ...onePassFields(signature, issuer), Buffer.of(isLast ? 1 : 0))
}

function onePassFields({ version, type, hash, algorithm, salt }: Signature, issuer: Buffer): Bytes[] {
  if (version === 6) return [Buffer.of(6, type, hash, algorithm, salt.length), salt, issuer]
  return [Buffer.of(3, type, hash, algorithm), issuer.subarray(-8)]
}
