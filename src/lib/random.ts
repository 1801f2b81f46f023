import { randomFillSync } from 'node:crypto'

/** Asking the generator costs the same for one octet and for thousands, so it is asked for some messages' worth at a time. */
const pool = Buffer.allocUnsafeSlow(4096)
let left = 0

/** Fills `target` with random octets, each of which is given out once and wiped here. */
export function fillRandom(target: Uint8Array): void {
  if (target.length > pool.length / 8) {
    randomFillSync(target)
    return
  }
  if (left < target.length) {
    randomFillSync(pool)
    left = pool.length
  }
  left -= target.length
  target.set(pool.subarray(left, left + target.length))
  pool.fill(0, left, left + target.length)
}

export function randomOctets(size: number): Buffer {
  const octets = Buffer.alloc(size)
  fillRandom(octets)
  return octets
}
