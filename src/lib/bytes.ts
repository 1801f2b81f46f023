/** Octets as they travel and are stored. A Buffer is one; nobody may assume more than this. */
export type Bytes = Uint8Array

/** The same memory as a Buffer, without copying. */
export function asBuffer(bytes: Bytes): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Overwrites a secret in place. */
export function wipe(bytes: Bytes): void {
  bytes.fill(0)
}
