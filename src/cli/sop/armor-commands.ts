/** armor and dearmor. */
import { type ArmorLabel, dearmorAll, isArmored } from '#formats/openpgp/armor.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { type Packet, readPackets } from '#formats/openpgp/packets.ts'
import type { Call } from './call.ts'

const LABELS: Readonly<Record<string, ArmorLabel>> = {
  sig: 'SIGNATURE',
  key: 'PRIVATE KEY BLOCK',
  cert: 'PUBLIC KEY BLOCK',
  message: 'MESSAGE',
}

export async function armorCommand(call: Call): Promise<void> {
  const wanted = call.word('label', ['auto', 'sig', 'key', 'cert', 'message'])
  const octets = await call.stdin()
  if (isArmored(octets)) {
    // armor is left as it is
    dearmorAll(octets)
    return call.write(octets)
  }
  const packets = [...readPackets(octets)]
  await call.writePackets(LABELS[wanted] ?? labelOf(packets), octets, !packets.some(isVersion6))
}

function labelOf(packets: readonly Packet[]): ArmorLabel {
  const [first] = packets
  if (!first) throw new MalformedOpenPgp('nothing to armor')
  if (first.type === PacketType.secretKey) return 'PRIVATE KEY BLOCK'
  if (first.type === PacketType.publicKey) return 'PUBLIC KEY BLOCK'
  const onlySignatures = packets.every(({ type }) => type === PacketType.signature)
  return onlySignatures ? 'SIGNATURE' : 'MESSAGE'
}

const VERSIONED: ReadonlySet<number> = new Set([
  PacketType.publicKey,
  PacketType.secretKey,
  PacketType.signature,
  PacketType.pkesk,
  PacketType.skesk,
])

function isVersion6({ type, body }: Packet): boolean {
  return (VERSIONED.has(type) && body[0] === 6) || (type === PacketType.seipd && body[0] === 2)
}

export async function dearmorCommand(call: Call): Promise<void> {
  const octets = await call.stdin()
  if (!isArmored(octets)) {
    if ([...readPackets(octets)].length === 0) throw new MalformedOpenPgp('nothing to dearmor')
    return call.write(octets)
  }
  await call.write(Buffer.concat(dearmorAll(octets).map((one) => one.octets)))
}
