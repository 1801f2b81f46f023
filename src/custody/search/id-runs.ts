export interface Run {
  readonly first: number
  readonly last: number
}

/** A set of whole numbers from 1 on, most of which stand in a row. */
export class IdRuns {
  /** Ascending, with gaps between them. */
  #runs: readonly Run[]

  constructor(runs: readonly Run[] = []) {
    this.#runs = []
    for (const { first, last } of runs) this.add(first, last)
  }

  get runs(): readonly Run[] {
    return this.#runs
  }

  add(first: number, last: number): void {
    const before = this.#runs.filter((run) => run.last < first - 1)
    const after = this.#runs.filter((run) => run.first > last + 1)
    const joined = this.#runs.slice(before.length, this.#runs.length - after.length)
    const from = Math.min(first, joined[0]?.first ?? first)
    this.#runs = [...before, { first: from, last: Math.max(last, joined.at(-1)?.last ?? last) }, ...after]
  }

  remove(first: number, last: number): void {
    this.#runs = this.#runs.flatMap((run) => [
      ...(run.first < first ? [{ first: run.first, last: Math.min(run.last, first - 1) }] : []),
      ...(run.last > last ? [{ first: Math.max(run.first, last + 1), last: run.last }] : []),
    ])
  }

  has(id: number): boolean {
    let low = 0
    let high = this.#runs.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const { first, last } = this.#runs[middle]!
      if (id < first) high = middle - 1
      else if (id > last) low = middle + 1
      else return true
    }
    return false
  }

  /** The highest numbers up to `last` that are not in it; null: all are. */
  gapBelow(last: number): Run | null {
    let end = last
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const run = this.#runs[index]!
      if (run.first > end) continue
      if (run.last < end) return { first: run.last + 1, last: end }
      end = run.first - 1
    }
    return end >= 1 ? { first: 1, last: end } : null
  }
}
