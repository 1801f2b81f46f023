import type { PartialRange } from './command.ts'
import type { Cursor } from './cursor.ts'

/** RFC 9394 §4 partial-range, with the blank before it. Its ends may come in either order, and stay as they came. */
export function parsePartialRange(cursor: Cursor): PartialRange {
  cursor.space()
  const sign = cursor.skip('-') ? -1 : 1
  const first = sign * cursor.positive()
  cursor.expect(':')
  if (sign < 0) cursor.expect('-')
  return { first, last: sign * cursor.positive() }
}
