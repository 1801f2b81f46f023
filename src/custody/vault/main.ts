/** The vault process: reads requests from the socket it was born with, answers them, and ends when the socket does. */
import { Socket } from 'node:net'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { asBuffer, wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { Busy } from '#lib/work-gate.ts'
import { collectSoon } from './collect.ts'
import { confine } from './confine.ts'
import { TableTampered } from './keyslots.ts'
import { KeyMismatch } from './locked-key.ts'
import { WeakPassword } from './password-rules.ts'
import { type Codec, MalformedFrame } from './protocol/codec.ts'
import { decodeContent, encodeFrame, type Frame, FrameSplitter, Status } from './protocol/frames.ts'
import { type OperationName, operations, type RefusalReason, type RequestOf, refusal } from './protocol/protocol.ts'
import { MalformedTable } from './protocol/table-fields.ts'
import { SlotsFull } from './slot-changes.ts'
import { Forbidden, HandleClosed } from './unlocked-accounts.ts'
import { openVault, type Vault } from './vault.ts'

const SOCKET_FD = 3
const READ_OCTETS = 64 * 1024
/** A request of this size is let go at once when it is answered. */
const LARGE_OCTETS = 1024 * 1024
/** Requests under way at once. */
const PENDING_MAX = 1024

/** The fixed line that the keyring may log; what happened is not told, since anything could be in it. */
function crash(line: string): never {
  process.stderr.write(`vault: ${line}\n`)
  process.exit(70)
}

process.on('uncaughtException', () => crash('internal error'))
// The vault outlives signals that are sent to the whole group, and ends with the socket, when the server is done with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof Busy) return 'busy'
  if (error instanceof HandleClosed) return 'closed'
  if (error instanceof Forbidden) return 'forbidden'
  if (error instanceof TableTampered || error instanceof MalformedTable) return 'tampered'
  if (error instanceof KeyMismatch || error instanceof MalformedOpenPgp) return 'mismatch'
  if (error instanceof WeakPassword) return 'weak'
  if (error instanceof SlotsFull) return 'full'
  if (error instanceof MalformedFrame) return 'malformed'
  return 'failed'
}

let vault: Vault | null = null

async function perform(content: Buffer, name: OperationName): Promise<unknown> {
  const request = decodeContent(content, operations[name].request as Codec<unknown>)
  if (name === 'configure') {
    if (vault) throw new MalformedFrame('configured already')
    vault = openVault(request as RequestOf<'configure'>, systemClock)
    return {}
  }
  if (!vault) throw new MalformedFrame('not configured')
  return (vault[name] as (request: unknown) => unknown)(request)
}

const nameOf = new Map(Object.entries(operations).map(([name, { code }]) => [code, name as OperationName]))

/** The frequent ones; keys that others made or opened are of no more use once they are answered. */
const makesNoKeys = new Set<number>(
  (
    ['configure', 'unlock', 'unlockByProof', 'sessionKeys', 'indexKeys', 'sign', 'close', 'endAll', 'status'] as const
  ).map((name) => operations[name].code),
)

/** The frame that answers this one. The request is wiped; the answer is to be, once it is sent. */
async function answerTo({ id, kind, content }: Frame): Promise<Buffer> {
  try {
    const name = nameOf.get(kind)
    if (!name || pending > PENDING_MAX)
      return encodeFrame(id, Status.refusal, refusal, { why: name ? 'busy' : 'malformed' })
    const answer = await perform(content, name)
    return encodeFrame(id, Status.answer, operations[name].answer as Codec<unknown>, answer)
  } catch (error) {
    return encodeFrame(id, Status.refusal, refusal, { why: reasonOf(error) })
  } finally {
    wipe(content)
  }
}

let pending = 0

async function handle(frame: Frame): Promise<void> {
  pending++
  const answer = await answerTo(frame)
  pending--
  socket.write(answer, () => wipe(answer))
  if (!makesNoKeys.has(frame.kind) || frame.content.length > LARGE_OCTETS) collectSoon()
}

const splitter = new FrameSplitter((frame) => {
  handle(frame).catch(() => crash('internal error'))
})

const socket = new Socket({
  fd: SOCKET_FD,
  readable: true,
  writable: true,
  // One buffer for all that is read, so that nothing of it stays behind.
  onread: {
    buffer: Buffer.alloc(READ_OCTETS),
    callback(length, buffer) {
      const chunk = asBuffer(buffer).subarray(0, length)
      splitter.push(chunk)
      wipe(chunk)
      return true
    },
  },
})
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))
confine(socket)
socket.resume()
