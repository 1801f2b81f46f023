import type { Bytes } from '#lib/bytes.ts'

const FIRST_OCTETS = 1024

/** Octets written one after the other, and numbers in as few of them as they need: seven bits each, the lowest first. */
export class OctetSink {
  #octets = Buffer.allocUnsafeSlow(FIRST_OCTETS)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** A whole number from 0 to 2^32 - 1. */
  number(value: number): void {
    if (this.#length + 5 > this.#octets.length) this.#grow(5)
    let left = value
    while (left > 127) {
      this.#octets[this.#length++] = (left & 127) | 128
      left >>>= 7
    }
    this.#octets[this.#length++] = left
  }

  text(text: string): void {
    const most = text.length * 3
    if (this.#length + most > this.#octets.length) this.#grow(most)
    this.#length += this.#octets.write(text, this.#length)
  }

  /** Its own memory, no larger than what was written. The sink begins anew. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.#length)
    this.#octets.copy(taken, 0, 0, this.#length)
    this.wipe()
    return taken
  }

  wipe(): void {
    this.#octets.fill(0)
    this.#length = 0
  }

  #grow(more: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#octets.length, this.#length + more))
    this.#octets.copy(grown, 0, 0, this.#length)
    this.#octets.fill(0)
    this.#octets = grown
  }
}

let scratch = new Uint32Array(4096)

/**
 * The sums of the numbers between the two places: 3, 2, 4 are 3, 5, 9. In memory that the next call uses again, because most lists are
 * short and there are many.
 */
export function sumsBetween(octets: Bytes, start: number, end: number): Uint32Array {
  if (scratch.length < end - start) scratch = new Uint32Array(2 * (end - start))
  const sums = scratch
  let count = 0
  let sum = 0
  for (let at = start; at < end; ) {
    let octet = octets[at++]!
    let value = octet & 127
    for (let shift = 7; octet > 127; shift += 7) {
      octet = octets[at++]!
      value |= (octet & 127) << shift
    }
    sum = (sum + value) >>> 0
    sums[count++] = sum
  }
  return sums.subarray(0, count)
}
