/** The few pieces of DER (X.690) that hand key material to node:crypto. */
import type { Bytes } from '#lib/bytes.ts'

/** One element: tag, length, content. */
export function der(tag: number, ...content: readonly Bytes[]): Buffer {
  let size = 0
  for (const part of content) size += part.length
  const header = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.of(tag, ...header), ...content])
}

/** INTEGER of an unsigned magnitude. */
export function integer(magnitude: Bytes): Buffer {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++
  const digits = magnitude.subarray(start)
  return digits[0]! & 0x80 ? der(0x02, Buffer.of(0), digits) : der(0x02, digits)
}
