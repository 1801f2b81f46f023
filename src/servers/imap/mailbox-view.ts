/**
 * A mailbox as one client knows it: message sequence numbers are places in this list, and only what the client is told
 * may change them (RFC 3501 §2.3.1.2, §5.5). Kept in flat arrays, about 32 octets per message, because every session holds one.
 */
import type { MessageRow } from '#custody/store/mail-store.ts'
import { type FlagSet, flagSet, sameFlags } from './flag-set.ts'

export interface ViewRow {
  readonly uid: number
  readonly flags: FlagSet
  readonly modseq: number
  readonly internalDate: number
  readonly paddedSize: number
  /** \Recent for this session. */
  readonly recent: boolean
}

export class MailboxView {
  /** Ascending; the first `length` elements count. */
  #uids: Uint32Array
  #modseqs: Float64Array
  #dates: Float64Array
  #sizes: Float64Array
  #flags: FlagSet[] = []
  #length = 0
  /** Uids that are \Recent in this session; usually few. */
  readonly #recent = new Set<number>()

  constructor(rows: readonly MessageRow[]) {
    const capacity = rows.length + (rows.length >> 3) + 16
    this.#uids = new Uint32Array(capacity)
    this.#modseqs = new Float64Array(capacity)
    this.#dates = new Float64Array(capacity)
    this.#sizes = new Float64Array(capacity)
    for (const row of rows) this.append(row)
  }

  get length(): number {
    return this.#length
  }

  /** Ascending uids, a view into memory that changes with the mailbox: index + 1 is the message sequence number. */
  get uids(): Uint32Array {
    return this.#uids.subarray(0, this.#length)
  }

  get lastUid(): number {
    return this.#length === 0 ? 0 : this.#uids[this.#length - 1]!
  }

  get recentCount(): number {
    return this.#recent.size
  }

  /** Place of a uid, or -1. */
  indexOf(uid: number): number {
    let low = 0
    let high = this.#length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = this.#uids[middle]!
      if (found === uid) return middle
      if (found < uid) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  at(index: number): ViewRow {
    const uid = this.#uids[index]!
    return {
      uid,
      flags: this.#flags[index]!,
      modseq: this.#modseqs[index]!,
      internalDate: this.#dates[index]!,
      paddedSize: this.#sizes[index]!,
      recent: this.#recent.has(uid),
    }
  }

  uidAt(index: number): number {
    return this.#uids[index]!
  }

  flagsAt(index: number): FlagSet {
    return this.#flags[index]!
  }

  dateAt(index: number): number {
    return this.#dates[index]!
  }

  sizeAt(index: number): number {
    return this.#sizes[index]!
  }

  markRecent(uid: number): void {
    this.#recent.add(uid)
  }

  isRecent(uid: number): boolean {
    return this.#recent.has(uid)
  }

  /** Adds a new message at the end; its uid is higher than all. */
  append(row: MessageRow): void {
    if (this.#length === this.#uids.length) this.#grow()
    const at = this.#length++
    this.#uids[at] = row.uid
    this.#modseqs[at] = row.modseq
    this.#dates[at] = row.internalDate
    this.#sizes[at] = row.paddedSize
    this.#flags[at] = flagSet(row.flags)
  }

  #grow(): void {
    const capacity = this.#length + (this.#length >> 1) + 16
    const grown = <T extends Uint32Array | Float64Array>(made: T, from: T): T => {
      made.set(from)
      return made
    }
    this.#uids = grown(new Uint32Array(capacity), this.#uids)
    this.#modseqs = grown(new Float64Array(capacity), this.#modseqs)
    this.#dates = grown(new Float64Array(capacity), this.#dates)
    this.#sizes = grown(new Float64Array(capacity), this.#sizes)
  }

  /** Takes over changed flags; says whether the client sees a difference. An older row than the one known changes nothing. */
  update(index: number, row: MessageRow): boolean {
    if (row.modseq < this.#modseqs[index]!) return false
    const after = flagSet(row.flags)
    const different = !sameFlags(this.#flags[index]!, after)
    this.#flags[index] = after
    this.#modseqs[index] = row.modseq
    return different
  }

  /** Takes messages out. `indexes` ascend. */
  remove(indexes: readonly number[]): void {
    if (indexes.length === 0) return
    let to = indexes[0]!
    let next = 0
    for (let from = to; from < this.#length; from++) {
      if (indexes[next] === from) {
        next++
        this.#recent.delete(this.#uids[from]!)
        continue
      }
      this.#uids[to] = this.#uids[from]!
      this.#modseqs[to] = this.#modseqs[from]!
      this.#dates[to] = this.#dates[from]!
      this.#sizes[to] = this.#sizes[from]!
      this.#flags[to] = this.#flags[from]!
      to++
    }
    this.#length = to
    this.#flags.length = to
  }

  /** Sequence number of the first message without \Seen, or null. */
  firstUnseen(): number | null {
    for (let index = 0; index < this.#length; index++) if (!this.#flags[index]!.seen) return index + 1
    return null
  }

  /** Every combination of flags in use. */
  distinctFlags(): Set<FlagSet> {
    return new Set(this.#flags)
  }
}
