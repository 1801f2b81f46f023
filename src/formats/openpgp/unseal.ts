/** Opens sealed messages with their session key: integrity first, then what is inside. Signatures inside are not judged here. */
import { type Bytes, giveUp } from '#lib/bytes.ts'
import { dearmor, isArmored } from './armor.ts'
import { type InnerMessage, LARGEST_CONTENT, readInnerMessage } from './inner-message.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { type Packet, readPackets } from './packets.ts'
import { decryptSeipd1 } from './seipd1.ts'
import { decryptSeipd2 } from './seipd2.ts'
import type { SessionKey } from './session-key.ts'

export interface SplitMessage {
  /** Bodies of the PKESK packets. */
  readonly pkesks: readonly Bytes[]
  /** The SEIPD packet, header included. */
  readonly container: Bytes
}

/** A message for more people than this is not for one of ours. */
const MOST_RECIPIENTS = 1000

/**
 * Takes an encrypted message apart (RFC 9580 §10.3), binary or armored. Throws MalformedOpenPgp for anything else, and for a
 * container without integrity protection.
 */
export function splitMessage(message: Bytes): SplitMessage {
  const { pkesks, container } = split(message)
  return { pkesks, container: container.octets }
}

function split(message: Bytes): { pkesks: readonly Bytes[]; container: Packet } {
  const pkesks: Bytes[] = []
  let container: Packet | null = null
  for (const packet of readPackets(isArmored(message) ? dearmor(message).octets : message)) {
    if (packet.type === PacketType.marker || packet.type === PacketType.padding) continue
    if (container) throw new MalformedOpenPgp('something follows the encrypted container')
    if (packet.type === PacketType.seipd) container = packet
    else if (packet.type === PacketType.pkesk) pkesks.push(packet.body)
    else if (packet.type === PacketType.sed) throw new MalformedOpenPgp('encrypted without integrity protection')
    else if (packet.type !== PacketType.skesk) throw new MalformedOpenPgp('not an encrypted message')
    if (pkesks.length > MOST_RECIPIENTS) throw new MalformedOpenPgp('too many recipients')
  }
  if (!container) throw new MalformedOpenPgp('not an encrypted message')
  return { pkesks, container }
}

/**
 * The exact octets of the literal packet inside. They share memory with the decrypted message.
 *
 * Throws IntegrityError when the container was changed or the session key is another one's, MalformedOpenPgp for everything
 * else; in both cases nothing of the plaintext is handed out.
 */
export function unseal(message: Bytes, sessionKey: SessionKey, largest: number = LARGEST_CONTENT): Bytes {
  const { body } = split(message).container
  const plain = decryptContainer(body, sessionKey)
  const { content } = readInnerMessage(plain, Math.min(largest, LARGEST_CONTENT))
  if (content.buffer !== plain.buffer && isLarge(plain)) giveUp(plain.buffer)
  return content
}

/** The same, with the signatures that stand around the content. */
export function unsealSigned(message: Bytes, sessionKey: SessionKey, largest: number = LARGEST_CONTENT): InnerMessage {
  return readInnerMessage(
    decryptContainer(split(message).container.body, sessionKey),
    Math.min(largest, LARGEST_CONTENT),
  )
}

/** Small ones may lie in memory that others share. */
const isLarge = (plain: Buffer) => plain.byteLength > Buffer.poolSize

function decryptContainer(body: Bytes, sessionKey: SessionKey): Buffer {
  if (body[0] === 1) return decryptSeipd1(body, sessionKey)
  if (body[0] === 2) return decryptSeipd2(body, sessionKey)
  throw new MalformedOpenPgp('container of an unknown version')
}
