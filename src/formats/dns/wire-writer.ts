import { MalformedDns } from './malformed.ts'
import { labelsOf } from './name.ts'

/** Octets of a message in the making, with the names it can point to. */
export class WireWriter {
  #octets = Buffer.alloc(512)
  #length = 0
  readonly #names = new Map<string, number>()

  get length(): number {
    return this.#length
  }

  octets(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#room(piece.length)
      this.#octets.set(piece, this.#length)
      this.#length += piece.length
    }
  }

  u16(number: number): void {
    this.#room(2)
    this.#length = this.#octets.writeUInt16BE(number, this.#length)
  }

  u32(number: number): void {
    this.#room(4)
    this.#length = this.#octets.writeUInt32BE(number, this.#length)
  }

  /** Compressed where a suffix of it was written before (RFC 1035 §4.1.4), in exactly the same case. */
  name(name: string): void {
    const labels = labelsOf(name)
    for (const [at, label] of labels.entries()) {
      const suffix = labels
        .slice(at)
        .map((one) => one.toString('hex'))
        .join('.')
      const known = this.#names.get(suffix)
      if (known !== undefined) {
        this.u16(0xc000 | known)
        return
      }
      if (this.#length < 0x4000) this.#names.set(suffix, this.#length)
      this.octets(Buffer.from([label.length]), label)
    }
    this.octets(Buffer.from([0]))
  }

  /** Writes what `write` writes behind its length in 16 bits. */
  counted(write: () => void): void {
    const at = this.#length
    this.u16(0)
    write()
    this.#octets.writeUInt16BE(this.#length - at - 2, at)
  }

  #room(length: number): void {
    const needed = this.#length + length
    if (needed > 65_535) throw new MalformedDns('a message is too long')
    if (needed <= this.#octets.length) return
    const larger = Buffer.alloc(Math.min(65_535, Math.max(needed, 2 * this.#octets.length)))
    this.#octets.copy(larger)
    this.#octets = larger
  }

  finish(): Buffer {
    return this.#octets.subarray(0, this.#length)
  }
}
