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
