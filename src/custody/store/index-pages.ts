/**
 * A page of the index, in clear: the entries of some contents, sealed together so that a listing opens them together. Its size
 * is rounded up.
 *
 * Number of entries (2), then for each: the content's id (6), 1 when it is settled, else 0 (1), length (4), the entry. Zeros to the end.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { ContentId } from './indexed-mail-store.ts'

/** Enough that a listing opens few pages, and few enough that one message costs little. */
export const PAGE_ENTRIES = 64

const COUNT = 2
const HEAD = 11
const ROUNDING = 512

export interface PageEntry {
  readonly content: ContentId
  /** Encoded (summary-entry.ts). */
  readonly entry: Bytes
  /** Nothing is to be unsealed of it, now or later. */
  readonly isSettled: boolean
}

/** At most 65,535 entries. The memory is its own, and the caller's to wipe. */
export function encodePage(entries: readonly PageEntry[]): Buffer {
  const size = entries.reduce((sum, { entry }) => sum + HEAD + entry.byteLength, COUNT)
  const page = Buffer.alloc(Math.ceil(size / ROUNDING) * ROUNDING)
  page.writeUInt16BE(entries.length)
  let at = COUNT
  for (const { content, entry, isSettled } of entries) {
    page.writeUIntBE(content, at, 6)
    page[at + 6] = isSettled ? 1 : 0
    page.writeUInt32BE(entry.byteLength, at + 7)
    page.set(entry, at + HEAD)
    at += HEAD + entry.byteLength
  }
  return page
}

/** The entries share memory with the page. null for what is no page. */
export function decodePage(octets: Bytes): ReadonlyMap<ContentId, PageEntry> | null {
  const page = asBuffer(octets)
  if (page.byteLength < COUNT) return null
  const entries = new Map<ContentId, PageEntry>()
  let at = COUNT
  for (let left = page.readUInt16BE(); left > 0; left--) {
    if (page.byteLength < at + HEAD) return null
    const start = at + HEAD
    const end = start + page.readUInt32BE(at + 7)
    if (page.byteLength < end) return null
    const content = page.readUIntBE(at, 6)
    entries.set(content, { content, entry: page.subarray(start, end), isSettled: page[at + 6] === 1 })
    at = end
  }
  return entries
}
