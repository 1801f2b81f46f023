/** ClamAV's daemon: commands and answers that end with NUL, the message in chunks (clamd(8), INSTREAM). */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Bytes } from '#lib/bytes.ts'
import { type Endpoint, socketOptions } from '#lib/endpoint.ts'
import { type Finding, failureOf, printableNames } from './finding.ts'

const CHUNK = 256 * 1024
/** Answers are one line. */
const ANSWER_MAX = 4096

function sizeOf(octets: number): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(octets)
  return size
}

function* instream(message: Bytes): Generator<Bytes> {
  yield Buffer.from('zINSTREAM\0')
  for (let at = 0; at < message.length; at += CHUNK) {
    const chunk = message.subarray(at, at + CHUNK)
    yield sizeOf(chunk.length)
    yield chunk
  }
  yield sizeOf(0)
}

/** Sends, and answers the line that comes back, without its NUL; it may come before all is sent. Throws when none comes. */
async function exchange(endpoint: Endpoint, command: Iterable<Bytes>, signal: AbortSignal): Promise<string> {
  const socket = connect({ ...socketOptions(endpoint), noDelay: true, signal })
  try {
    await once(socket, 'connect')
    // What goes wrong while sending shows in what is received, or in its absence.
    pipeline(Readable.from(command), socket, { end: false }).catch(() => {})
    let answer = ''
    for await (const piece of socket as AsyncIterable<Buffer>) {
      answer += piece.toString('latin1')
      const end = answer.indexOf('\0')
      if (end >= 0) return answer.slice(0, end)
      if (answer.length > ANSWER_MAX) throw new Error('an endless answer')
    }
    throw new Error('it closed the connection')
  } finally {
    socket.destroy()
  }
}

/** What an answer to INSTREAM means. */
export function readClamd(answer: string): Finding {
  if (answer === 'stream: OK') return { kind: 'found', verdict: 'clean', names: [] }
  const name = /^stream: (.+) FOUND$/.exec(answer)?.[1]
  // With AlertExceedsMax: nothing was found in the part that was looked at.
  if (name?.startsWith('Heuristics.Limits.Exceeded')) return { kind: 'unable', why: 'larger than it scans' }
  if (name !== undefined) return { kind: 'found', verdict: 'malware', names: printableNames([name]) }
  if (answer.startsWith('INSTREAM size limit exceeded'))
    return { kind: 'unable', why: 'larger than its StreamMaxLength' }
  return {
    kind: 'unable',
    why: answer.endsWith('ERROR') ? 'it reports an error; its log says which' : 'it does not speak as clamd does',
  }
}

export async function askClamd(endpoint: Endpoint, message: Bytes, signal: AbortSignal): Promise<Finding> {
  try {
    return readClamd(await exchange(endpoint, instream(message), signal))
  } catch (error) {
    return failureOf(error, signal)
  }
}

/** Throws when it does not answer. */
export async function pingClamd(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  const answer = await exchange(endpoint, [Buffer.from('zPING\0')], signal)
  if (answer !== 'PONG') throw new Error('it does not speak as clamd does')
}
