/**
 * What is about to be written to one client, gathered: text as text, contents copied behind each other into chunks, so that a burst of
 * responses is few writes and whoever had the contents may let go of them at once. Only a large content is written from where it
 * lies. Chunks are used again, wiped.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** Text that is written without waiting for more. */
const GATHERED = 32_768
/** A few TLS records. */
const CHUNK = 131_072
/** Contents up to here are copied. */
export const COPIED = 1_048_576
/** Contents up to here go with the text. */
const TINY = 512

/** Those that nobody uses: as many as one client that takes a mailbox in has under way. */
const spare: Buffer[] = []
const SPARE = 2

function takeChunk(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK)
}

export class Outgoing {
  readonly #write: (octets: Bytes, written: (error?: Error | null) => void) => void
  /** Behind what is in the chunk; one octet per character. */
  #text = ''
  #chunk: Buffer | null = null
  #used = 0

  /** `write` says when the octets are needed no more. */
  constructor(write: (octets: Bytes, written: (error?: Error | null) => void) => void) {
    this.#write = write
  }

  add(piece: string | Bytes): void {
    if (typeof piece === 'string') this.#text += piece
    else if (piece.length <= TINY) this.#text += asBuffer(piece).toString('latin1')
    else if (piece.length <= COPIED) this.#copy(asBuffer(piece))
    else {
      this.push()
      this.#write(piece, () => {})
    }
    if (this.#text.length >= GATHERED) this.push()
  }

  /** Writes all that was gathered. */
  push(): void {
    if (this.#chunk) {
      this.#copyText()
      this.#writeChunk()
    } else if (this.#text !== '') {
      const octets = Buffer.from(this.#text, 'latin1')
      this.#text = ''
      this.#write(octets, () => {})
    }
  }

  #copy(octets: Buffer): void {
    this.#copyText()
    for (let from = 0; from < octets.length; ) {
      const chunk = this.#room()
      const copied = octets.copy(chunk, this.#used, from)
      this.#used += copied
      from += copied
    }
  }

  #copyText(): void {
    for (let from = 0; from < this.#text.length; ) {
      const chunk = this.#room()
      const copied = chunk.write(this.#text.slice(from), this.#used, 'latin1')
      this.#used += copied
      from += copied
    }
    this.#text = ''
  }

  /** A chunk that is not full. */
  #room(): Buffer {
    if (this.#used === CHUNK) this.#writeChunk()
    this.#chunk ??= takeChunk()
    return this.#chunk
  }

  #writeChunk(): void {
    const chunk = this.#chunk!
    const octets = chunk.subarray(0, this.#used)
    this.#chunk = null
    this.#used = 0
    this.#write(octets, (error) => {
      // After an error nobody knows who still reads it.
      if (error) return
      octets.fill(0)
      if (spare.length < SPARE) spare.push(chunk)
    })
  }
}
