/**
 * Rows on their way between threads: a hundred thousand objects are slow to clone, a few typed arrays are handed over
 * without a copy. Rows with the same flags share them.
 */
import type { MessageRow } from './mail-store.ts'

export interface RowColumns {
  readonly uids: Float64Array
  readonly modseqs: Float64Array
  readonly internalDates: Float64Array
  readonly sizes: Float64Array
  /** Index into `flagSets`. */
  readonly flags: Uint32Array
  readonly flagSets: readonly (readonly string[])[]
}

export function packRows(rows: readonly MessageRow[]): RowColumns {
  const count = rows.length
  const packed = {
    uids: new Float64Array(count),
    modseqs: new Float64Array(count),
    internalDates: new Float64Array(count),
    sizes: new Float64Array(count),
    flags: new Uint32Array(count),
    flagSets: [] as (readonly string[])[],
  }
  const known = new Map<string, number>()
  let [before, index]: [readonly string[] | null, number] = [null, 0]
  for (let i = 0; i < count; i++) {
    const row = rows[i]!
    packed.uids[i] = row.uid
    packed.modseqs[i] = row.modseq
    packed.internalDates[i] = row.internalDate
    packed.sizes[i] = row.paddedSize
    if (row.flags !== before) {
      before = row.flags
      const name = before.join(' ')
      index = known.get(name) ?? packed.flagSets.push(before) - 1
      known.set(name, index)
    }
    packed.flags[i] = index
  }
  return packed
}

export function unpackRows(packed: RowColumns): readonly MessageRow[] {
  const { uids, modseqs, internalDates, sizes, flags, flagSets } = packed
  return Array.from({ length: uids.length }, (_, i) => ({
    uid: uids[i]!,
    modseq: modseqs[i]!,
    internalDate: internalDates[i]!,
    flags: flagSets[flags[i]!]!,
    paddedSize: sizes[i]!,
  }))
}

const MISSING: MessageRow = { uid: 0, modseq: 0, internalDate: 0, flags: [], paddedSize: 0 }

/** No message has the uid 0: it stands for one that is not there. */
export function packFoundRows(rows: readonly (MessageRow | null)[]): RowColumns {
  return packRows(rows.map((row) => row ?? MISSING))
}

export function unpackFoundRows(packed: RowColumns): readonly (MessageRow | null)[] {
  return unpackRows(packed).map((row) => (row.uid === 0 ? null : row))
}

export function columnBuffers({ uids, modseqs, internalDates, sizes, flags }: RowColumns): ArrayBuffer[] {
  return [uids, modseqs, internalDates, sizes, flags].map((column) => column.buffer as ArrayBuffer)
}
