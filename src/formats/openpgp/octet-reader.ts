/** Reads the fields of a packet body in order; anything that is not there is MalformedOpenPgp. */
import { asBuffer, type Bytes, secretBuffer } from '#lib/bytes.ts'
import { MalformedOpenPgp } from './openpgp.ts'

export class OctetReader {
  readonly #octets: Buffer
  #at = 0

  constructor(octets: Bytes) {
    this.#octets = asBuffer(octets)
  }
  get position(): number {
    return this.#at
  }
  get left(): number {
    return this.#octets.length - this.#at
  }
  /** Shares memory with what is read. */
  take(size: number): Buffer {
    if (size > this.left) throw new MalformedOpenPgp('truncated field')
    this.#at += size
    return this.#octets.subarray(this.#at - size, this.#at)
  }
  rest(): Buffer {
    return this.take(this.left)
  }
  u8(): number {
    return this.take(1)[0]!
  }
  u16(): number {
    return this.take(2).readUInt16BE(0)
  }
  u32(): number {
    return this.take(4).readUInt32BE(0)
  }
  /** RFC 9580 §3.2: the magnitude without leading zero octets. */
  mpi(): Buffer {
    const bits = this.u16()
    // 16384 bits: the largest that OpenSSL takes for RSA
    if (bits > 16_384) throw new MalformedOpenPgp('number too large')
    const magnitude = this.take((bits + 7) >> 3)
    if (bits > 0 && 32 - Math.clz32(magnitude[0]!) !== ((bits - 1) & 7) + 1) {
      throw new MalformedOpenPgp('number with a wrong bit count')
    }
    return magnitude
  }
}

/** Bits of an unsigned number: a modulus of 256 octets may have 2041 to 2048. */
export function bitLength(magnitude: Bytes): number {
  let start = 0
  while (start < magnitude.length && magnitude[start] === 0) start++
  return start === magnitude.length ? 0 : (magnitude.length - start) * 8 - Math.clz32(magnitude[start]!) + 24
}

/** RFC 9580 §3.2 */
export function writeMpi(magnitude: Bytes): Buffer {
  const bits = bitLength(magnitude)
  const size = (bits + 7) >> 3
  const target = Buffer.allocUnsafe(2 + size)
  target.writeUInt16BE(bits, 0)
  target.set(magnitude.subarray(magnitude.length - size), 2)
  return target
}

/** An unsigned number as exactly `size` octets, as fixed-width fields and node:crypto want it. */
export function leftPadded(magnitude: Bytes, size: number): Buffer {
  if (magnitude.length > size) throw new MalformedOpenPgp('number too large for its field')
  const target = secretBuffer(size)
  target.set(magnitude, size - magnitude.length)
  return target
}
