/** Octets of a message on their way from the wire into a reader: deadlines, minimum rate, memory. */
import type { ChunkReader, DataReader } from '#formats/smtp/message-reader.ts'
import { reply } from '#formats/smtp/reply.ts'
import type { Conversation } from './conversation.ts'
import type { Hold } from './memory-budget.ts'
import { Hangup } from './wire.ts'

/** Deadlines of one message or chunk: what has come buys time at the minimum rate. */
class Pace {
  readonly #talk: Conversation
  readonly #began: number
  #octets = 0

  constructor(talk: Conversation) {
    this.#talk = talk
    this.#began = talk.service.clock.now()
  }

  async octets(): Promise<Buffer> {
    const { limits } = this.#talk.service
    // A message that is refused in the end is read on, but not for ever.
    if (this.#octets > 2 * limits.messageSize + 1_048_576) {
      throw new Hangup('refused', reply(552, '5.3.4', 'Message is too big'))
    }
    const deadline = this.#began + limits.dataMs + (this.#octets * 1000) / limits.minimumRate
    const octets = await this.#talk.wire.octets({ deadline })
    this.#octets += octets.length
    return octets
  }
}

function fit(reader: DataReader | ChunkReader, hold: Hold): void {
  if (!hold.resize(reader.kept)) reader.drop('dropped')
  if (reader.kept === 0) hold.resize(0)
}

/** Reads up to CRLF.CRLF. Throws Hangup. */
export async function readData(talk: Conversation, reader: DataReader, hold: Hold): Promise<void> {
  const pace = new Pace(talk)
  for (;;) {
    const octets = await pace.octets()
    const used = reader.push(octets)
    fit(reader, hold)
    if (used === null) continue
    talk.wire.unread(octets.subarray(used))
    return
  }
}

/** Reads a chunk of `size` octets; without a reader they are thrown away. Throws Hangup. */
export async function readChunk(
  talk: Conversation,
  size: number,
  into: { reader: ChunkReader; hold: Hold } | null,
): Promise<void> {
  const pace = new Pace(talk)
  for (let left = size; left > 0; ) {
    const octets = await pace.octets()
    if (octets.length > left) talk.wire.unread(octets.subarray(left))
    const mine = octets.length > left ? octets.subarray(0, left) : octets
    left -= mine.length
    into?.reader.push(mine)
    if (into) fit(into.reader, into.hold)
  }
}
