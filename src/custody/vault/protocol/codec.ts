/**
 * How values cross the socket between keyring and vault: a shape is declared once and gives the type, the writer and the
 * reader. Secrets travel as octets from end to end, never as text, and the only copy made of them is the frame, which its
 * sender and its receiver wipe. The reader believes nothing: every length is checked against its cap and against what is there.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** The octets do not have the shape that was agreed. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame'
}

/** Pieces of the frame in order, by reference; they are joined once, when all are there. */
export type Pieces = Bytes[]

export class Cursor {
  readonly #octets: Buffer
  #at = 0
  constructor(octets: Buffer) {
    this.#octets = octets
  }
  /** The next `length` octets, in place. */
  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#octets.length) throw new MalformedFrame('a value is cut short')
    const taken = this.#octets.subarray(this.#at, end)
    this.#at = end
    return taken
  }
  finish(): void {
    if (this.#at !== this.#octets.length) throw new MalformedFrame('octets are left over')
  }
}

export interface Codec<T> {
  write(value: T, into: Pieces): void
  read(from: Cursor): T
}

/** What a codec carries. */
export type Carried<C> = C extends Codec<infer T> ? T : never

function fixed(length: number, fill: (octets: Buffer) => void): Buffer {
  const octets = Buffer.allocUnsafe(length)
  fill(octets)
  return octets
}

export const uint32: Codec<number> = {
  write(value, into) {
    into.push(fixed(4, (octets) => octets.writeUInt32BE(value)))
  },
  read: (from) => from.take(4).readUInt32BE(),
}

/** Milliseconds, and other counts beyond 32 bits. */
export const integer: Codec<number> = {
  write(value, into) {
    into.push(fixed(8, (octets) => octets.writeBigUInt64BE(BigInt(value))))
  },
  read(from) {
    const value = Number(from.take(8).readBigUInt64BE())
    if (!Number.isSafeInteger(value)) throw new MalformedFrame('a number is too large')
    return value
  },
}

/** At most `max` octets. Read in place: they are the frame's memory. */
export function bytes(max: number): Codec<Bytes> {
  return {
    write(value, into) {
      if (value.byteLength > max) throw new RangeError(`${value.byteLength} octets where ${max} may stand`)
      uint32.write(value.byteLength, into)
      into.push(value)
    },
    read(from) {
      const length = uint32.read(from)
      if (length > max) throw new MalformedFrame('a value is too long')
      return from.take(length)
    },
  }
}

/** Never for a secret. `max` octets of UTF-8. */
export function text(max: number): Codec<string> {
  const octets = bytes(max)
  return {
    write: (value, into) => octets.write(Buffer.from(value, 'utf8'), into),
    read: (from) => asBuffer(octets.read(from)).toString('utf8'),
  }
}

export function list<T>(element: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    write(values, into) {
      if (values.length > max) throw new RangeError(`${values.length} values where ${max} may stand`)
      uint32.write(values.length, into)
      for (const value of values) element.write(value, into)
    },
    read(from) {
      const length = uint32.read(from)
      if (length > max) throw new MalformedFrame('a list is too long')
      return Array.from({ length }, () => element.read(from))
    },
  }
}

type Fields = { readonly [name: string]: Codec<never> | Codec<unknown> }
type Shape<F extends Fields> = { readonly [K in keyof F]: Carried<F[K]> }

/** The fields in the order in which they are declared. */
export function record<F extends Fields>(fields: F): Codec<Shape<F>> {
  const entries = Object.entries(fields) as [string, Codec<unknown>][]
  return {
    write(value, into) {
      for (const [name, codec] of entries) codec.write((value as Record<string, unknown>)[name], into)
    },
    read: (from) => Object.fromEntries(entries.map(([name, codec]) => [name, codec.read(from)])) as Shape<F>,
  }
}

type Kinds = { readonly [kind: string]: Fields }
type OneOf<K extends Kinds> = { [N in keyof K]: { readonly kind: N } & Shape<K[N]> }[keyof K]

/** A union told apart by `kind`. */
export function oneOf<K extends Kinds>(kinds: K): Codec<OneOf<K>> {
  const known = Object.entries(kinds).map(([kind, fields]) => ({ kind, codec: record(fields) as Codec<unknown> }))
  return {
    write(value, into) {
      const index = known.findIndex(({ kind }) => kind === (value as { kind: string }).kind)
      into.push(Buffer.of(index))
      known[index]!.codec.write(value, into)
    },
    read(from) {
      const chosen = known[from.take(1)[0]!]
      if (!chosen) throw new MalformedFrame('an unknown kind of value')
      return { kind: chosen.kind, ...(chosen.codec.read(from) as object) } as OneOf<K>
    },
  }
}

/** One of a few words. */
export function word<const W extends string>(...words: readonly W[]): Codec<W> {
  return {
    write(value, into) {
      into.push(Buffer.of(words.indexOf(value)))
    },
    read(from) {
      const chosen = words[from.take(1)[0]!]
      if (chosen === undefined) throw new MalformedFrame('an unknown word')
      return chosen
    },
  }
}
