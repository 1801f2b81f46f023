/** Octets as they travel and are stored. A Buffer is one; nobody may assume more than this. */
export type Bytes = Uint8Array

/** The same memory as a Buffer, without copying. */
export function asBuffer(bytes: Bytes): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Octets for a secret, zero at first. Node keeps Buffers of up to 64 octets in the heap of V8, which moves them about and
 * leaves copies behind where no wiping reaches; these have memory of their own that stays where it is.
 */
export function secretBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length))
}

/** Overwrites a secret in place. */
export function wipe(bytes: Bytes): void {
  bytes.fill(0)
}

/** Memory that is smaller may be shared with others (Node's pool of Buffers has 8 kB). */
const WORTH_RELEASING = 16_384

/**
 * Wipes octets that nobody else has a view of, and gives their memory up where it is theirs alone. They are not to be used any more.
 */
export function release(octets: Bytes): void {
  wipe(octets)
  const { buffer, byteLength } = octets
  if (byteLength >= WORTH_RELEASING && byteLength >= buffer.byteLength * 0.8) giveUp(buffer)
}

/**
 * Gives large memory back at once, all of it: what waits for the collector by the megabyte calls it time and again. Every view of it
 * is empty from then on, so nobody else may have one.
 */
export function giveUp(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer) memory.transfer(0)
}
