/** The fields of a keyslot table as JSON has them: each is what it should be, and no longer than it may be, or the table is none. */

/** The octets are not a keyslot table. */
export class MalformedTable extends Error {
  override readonly name = 'MalformedTable'
}

export type Fields = Readonly<Record<string, unknown>>

export function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new MalformedTable('not an object')
  return value as Fields
}

export function listIn(value: unknown, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) throw new MalformedTable('not a short list')
  return value
}

export function word(value: unknown, max: number, min = 1): string {
  if (typeof value !== 'string' || value.length < min || value.length > max || !/^[\w.:,-]*$/.test(value)) {
    throw new MalformedTable('not a word')
  }
  return value
}

export function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new MalformedTable('not a count')
  return value
}

/** Text that people read: no control characters. */
export function isPrintable(text: string, max: number): boolean {
  return text.length > 0 && text.length <= max && !/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(text)
}

export function printable(value: unknown, max: number): string {
  if (typeof value !== 'string' || !isPrintable(value, max)) throw new MalformedTable('not printable text')
  return value
}

export function octetsUpTo(value: unknown, max: number): Buffer {
  const octets = typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
  if (octets.length > max || octets.toString('base64') !== value) throw new MalformedTable('not base64')
  return octets
}

/** Exactly one of these lengths. */
export function octetsIn(value: unknown, ...lengths: readonly number[]): Buffer {
  const octets = octetsUpTo(value, Math.max(...lengths))
  if (!lengths.includes(octets.length)) throw new MalformedTable('not of this length')
  return octets
}
