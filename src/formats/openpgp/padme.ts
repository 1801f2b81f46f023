/**
 * How much of a message's size its ciphertext tells. Padmé rounds a size so that only O(log log size) bits of it remain, at
 * most 12% larger and 6% above 20 kB. Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
 * Communication with PURBs", PETS 2019, algorithm 1.
 */
export function padme(size: number): number {
  if (size < 2) return size
  const exponent = Math.floor(Math.log2(size))
  const kept = Math.floor(Math.log2(exponent || 1)) + 1
  const unit = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(size / unit) * unit
}

/** Below this every message looks the same. */
const SMALLEST = 512

/** Rounding of what is sealed at rest. */
export function paddedSize(size: number): number {
  return padme(Math.max(size, SMALLEST))
}
