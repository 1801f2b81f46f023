/** What RETURN asks of a result (RFC 4731 §3.1, RFC 5182 §2, RFC 9394 §3.1), and as much of the result as that takes. */
import type { PartialRange, SearchCommand } from '#formats/imap/command.ts'
import type { SearchReturn } from '#formats/imap/search-key.ts'

export class Wishes {
  readonly partial: PartialRange | null
  readonly #options: ReadonlySet<SearchReturn>

  /** No RETURN at all means the same as an empty one, which means ALL. */
  constructor({ return: options, partial }: Pick<SearchCommand, 'return' | 'partial'>) {
    this.partial = partial
    this.#options = new Set(options?.length || partial ? options : ['all'])
  }

  has(option: SearchReturn): boolean {
    return this.#options.has(option)
  }

  /** Nothing is told: the result is only kept. */
  get silent(): boolean {
    return this.has('save') && this.#options.size === 1 && !this.partial
  }

  /** Every match is needed. */
  get whole(): boolean {
    const some = this.has('min') || this.has('max') || this.partial !== null
    return this.has('all') || this.has('count') || !some
  }

  /** So many of the first matches are needed when not all are. */
  get fromStart(): number {
    const partial = this.partial && this.partial.first > 0 ? Math.max(this.partial.first, this.partial.last) : 0
    return Math.max(partial, this.has('min') ? 1 : 0)
  }

  /** And so many of the last. */
  get fromEnd(): number {
    const partial = this.partial && this.partial.first < 0 ? -Math.min(this.partial.first, this.partial.last) : 0
    return Math.max(partial, this.has('max') ? 1 : 0)
  }
}

/** Matches in the order of the result, as far as they are known: all of them, or the first ones and the last ones. */
export interface Matches {
  readonly first: readonly number[]
  readonly last: readonly number[]
}

export interface Result {
  readonly min: number | null
  readonly max: number | null
  readonly partial: readonly number[] | null
}

/** MIN and MAX are the first and the last in the order of the result. */
export function resultOf(wishes: Wishes, { first, last }: Matches): Result {
  return {
    min: wishes.has('min') ? (first[0] ?? null) : null,
    max: wishes.has('max') ? (last.at(-1) ?? null) : null,
    partial: wishes.partial && partOf(wishes.partial, first, last),
  }
}

function partOf(range: PartialRange, first: readonly number[], last: readonly number[]): readonly number[] {
  const near = Math.min(Math.abs(range.first), Math.abs(range.last))
  const far = Math.max(Math.abs(range.first), Math.abs(range.last))
  if (range.first > 0) return first.slice(near - 1, far)
  return last.slice(Math.max(0, last.length - far), Math.max(0, last.length - near + 1))
}
