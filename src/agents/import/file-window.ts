import type { FileHandle } from 'node:fs/promises'

const CHUNK = 256 * 1024

/** A part of a file in memory that moves forward over it. Places are counted from the file's beginning. */
export class FileWindow {
  readonly #file: FileHandle
  readonly size: number
  #octets: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.size = size
  }

  /** The first place after what is in memory. */
  get end(): number {
    return this.#start + this.#octets.length
  }

  /** Reads on; false at the end of the file. As much again as there is, so that growing costs no more than reading. */
  async more(): Promise<boolean> {
    const length = Math.min(Math.max(CHUNK, this.#octets.length), this.size - this.end)
    if (length <= 0) return false
    const grown = Buffer.allocUnsafeSlow(this.#octets.length + length)
    this.#octets.copy(grown)
    const { bytesRead } = await this.#file.read(grown, this.#octets.length, length, this.end)
    this.#octets = grown.subarray(0, this.#octets.length + bytesRead)
    return bytesRead > 0
  }

  /** Forgets what is before `place`, which may be beyond what is in memory. */
  forget(place: number): void {
    this.#octets = place >= this.end ? Buffer.alloc(0) : this.#octets.subarray(place - this.#start)
    this.#start = place
  }

  /** A view of what is in memory; it stays as it is while the window moves. */
  view(from: number, to: number): Buffer {
    return this.#octets.subarray(Math.max(0, from - this.#start), Math.max(0, to - this.#start))
  }

  /** The place where `wanted` begins, at or after `from`, in memory; -1 when it is not there. */
  find(wanted: Buffer | number, from: number): number {
    const found = this.#octets.indexOf(wanted, Math.max(0, from - this.#start))
    return found < 0 ? -1 : this.#start + found
  }

  /** Octets from anywhere in the file, fewer at its end. */
  async peek(place: number, length: number): Promise<Buffer> {
    const octets = Buffer.alloc(length)
    const { bytesRead } = await this.#file.read(octets, 0, length, place)
    return octets.subarray(0, bytesRead)
  }
}
