/**
 * Messages on their way between threads. Rows travel as columns; summaries, which are small, as one piece of memory; contents are handed
 * over in the memory that they were opened into.
 */
import type { Bytes } from '#lib/bytes.ts'
import type { ReadMessage, Uid } from './mail-store.ts'
import { columnBuffers, packRows, type RowColumns, unpackRows } from './row-columns.ts'
import { ownCopy } from './store-wire.ts'

export interface PackedMessages {
  /** null: gone. */
  readonly uids: readonly (Uid | null)[]
  /** Of those that are there; null when not wanted. */
  readonly rows: RowColumns | null
  /** One after another. */
  readonly summaries: Bytes
  /** Where each summary ends; null: there is none. */
  readonly ends: readonly (number | null)[]
  readonly contents: readonly (Bytes | null)[]
  readonly unreadable: readonly (string | null)[]
}

type Found = ReadMessage | null

export function packMessages(messages: readonly Found[], transfer: ArrayBuffer[]): PackedMessages {
  const there = messages.flatMap((one) => one?.row ?? [])
  const rows = there.length > 0 ? packRows(there) : null
  if (rows) transfer.push(...columnBuffers(rows))
  const taken = new Set<ArrayBufferLike>()
  return {
    uids: messages.map((one) => one?.uid ?? null),
    rows,
    ...packSummaries(messages, transfer),
    contents: messages.map((one) => one?.content && handedOverOnce(one.content, taken, transfer)),
    unreadable: messages.map((one) => one?.unreadable ?? null),
  } as PackedMessages
}

function packSummaries(
  messages: readonly Found[],
  transfer: ArrayBuffer[],
): Pick<PackedMessages, 'summaries' | 'ends'> {
  const size = messages.reduce((sum, one) => sum + (one?.summary?.byteLength ?? 0), 0)
  const summaries = new Uint8Array(new ArrayBuffer(size))
  let end = 0
  const ends = messages.map((one) => {
    if (!one?.summary) return null
    summaries.set(one.summary, end)
    end += one.summary.byteLength
    return end
  })
  if (size > 0) transfer.push(summaries.buffer)
  return { summaries, ends }
}

/** A view of much more memory than it needs would carry all of that along, and small ones may share theirs with others. */
const SMALL = 16 * 1024

function handedOverOnce(content: Bytes, taken: Set<ArrayBufferLike>, transfer: ArrayBuffer[]): Bytes {
  const { buffer, byteLength } = content
  const isOwn = buffer instanceof ArrayBuffer && byteLength >= SMALL && buffer.byteLength <= byteLength * 1.25
  if (!isOwn || taken.has(buffer)) return ownCopy(content, transfer)
  taken.add(buffer)
  transfer.push(buffer)
  return content
}

export function unpackMessages(packed: PackedMessages): readonly Found[] {
  const rows = packed.rows && unpackRows(packed.rows)
  let next = 0
  let start = 0
  return packed.uids.map((uid, index) => {
    if (uid === null) return null
    const end = packed.ends[index]!
    const summary = end === null ? null : packed.summaries.subarray(start, end)
    start = end ?? start
    const row = rows?.[next++] ?? null
    return { uid, row, summary, content: packed.contents[index]!, unreadable: packed.unreadable[index]! }
  })
}
