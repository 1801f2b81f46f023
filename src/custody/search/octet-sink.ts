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

/** Calls `take` with the sums of the numbers between the two places: 3, 2, 4 are 3, 5, 9. */
export function eachSum(octets: Bytes, start: number, end: number, take: (sum: number) => void): void {
  let sum = 0
  for (let at = start; at < end; ) {
    let octet = octets[at++]!
    let value = octet & 127
    for (let shift = 7; octet > 127; shift += 7) {
      octet = octets[at++]!
      value |= (octet & 127) << shift
    }
    sum += value >>> 0
    take(sum)
  }
}
