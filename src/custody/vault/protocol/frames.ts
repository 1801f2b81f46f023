/**
 * Frames on the socket between keyring and vault: length of the content, request id, one octet that says what it is (the
 * operation in a request, Status in an answer), content.
 */
import { secretBuffer } from '#lib/bytes.ts'
import { type Codec, Cursor, MalformedFrame, type Pieces } from './codec.ts'

/** More than the largest request but one: a batch of PKESKs, or the locked keys of one account. */
export const FRAME_MAX = 8 * 1024 * 1024
/** The operation whose requests carry whole messages. */
export const SIGN = 6
const SIGN_FRAME_MAX = 65 * 1024 * 1024
const HEADER = 9

export const Status = { answer: 0, refusal: 1 } as const

const frameMax = (kind: number): number => (kind === SIGN ? SIGN_FRAME_MAX : FRAME_MAX)

export interface Frame {
  readonly id: number
  readonly kind: number
  /** Memory of its own, to be wiped by who handles it. */
  readonly content: Buffer
}

/** The frame in one buffer, to be wiped once it is sent. Throws RangeError for one that its receiver would not take. */
export function encodeFrame<T>(id: number, kind: number, codec: Codec<T>, value: T): Buffer {
  const header = Buffer.alloc(HEADER)
  const pieces: Pieces = [header]
  codec.write(value, pieces)
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  if (length - HEADER > frameMax(kind)) throw new RangeError('a frame is too long')
  header.writeUInt32BE(length - HEADER, 0)
  header.writeUInt32BE(id, 4)
  header[8] = kind
  const frame = secretBuffer(length)
  let at = 0
  for (const piece of pieces) {
    frame.set(piece, at)
    at += piece.byteLength
  }
  return frame
}

/** The value in the content; octets in it are the content's memory. Throws MalformedFrame. */
export function decodeContent<T>(content: Buffer, codec: Codec<T>): T {
  const cursor = new Cursor(content)
  const value = codec.read(cursor)
  cursor.finish()
  return value
}

/** Takes a stream apart: feed it chunks, get whole frames. It copies what it is fed, so the chunk can be wiped at once. */
export class FrameSplitter {
  readonly #onFrame: (frame: Frame) => void
  readonly #header = Buffer.alloc(HEADER)
  #content: Buffer | null = null
  #filled = 0

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  /** Throws MalformedFrame for a frame that is too long; the stream is of no use after that. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      const target = this.#content ?? this.#header
      const taken = chunk.copy(target, this.#filled, at, Math.min(chunk.length, at + target.length - this.#filled))
      at += taken
      this.#filled += taken
      if (this.#filled === target.length) this.#turn()
    }
  }

  #turn(): void {
    this.#filled = 0
    if (!this.#content) {
      const length = this.#header.readUInt32BE(0)
      if (length > frameMax(this.#header[8]!)) throw new MalformedFrame('a frame is too long')
      this.#content = secretBuffer(length)
      if (length > 0) return
    }
    const frame = { id: this.#header.readUInt32BE(4), kind: this.#header[8]!, content: this.#content }
    this.#content = null
    this.#onFrame(frame)
  }
}
