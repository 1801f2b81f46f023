/**
 * The AMKs of an account that came before the present one. Each is wrapped under the present one, so that what it locked stays as
 * it is: keys, index records. A new generation takes its predecessors along; a relink takes in those of a parked one.
 */
import { type Bytes, wipe } from '#lib/bytes.ts'
import { openOctets, SealBroken, sealOctets } from './aead.ts'
import { label, subkey, withKey } from './key-derivation.ts'
import { masterDigest, type Place, TableTampered } from './keyslots.ts'
import type { EarlierKey } from './protocol/slot-table.ts'

/** Bare AMKs by generation. Dispose it at the end of the operation: all of them are wiped. */
export class MasterKeys implements Disposable {
  readonly #keys: Map<number, Buffer>
  readonly generation: number

  constructor(generation: number, amk: Buffer) {
    this.generation = generation
    this.#keys = new Map([[generation, amk]])
  }

  get current(): Buffer {
    return this.#keys.get(this.generation)!
  }

  /** Newest first. */
  get generations(): readonly number[] {
    return [...this.#keys.keys()].sort((a, b) => b - a)
  }

  at(generation: number): Buffer | null {
    return this.#keys.get(generation) ?? null
  }

  /** Takes the key over; one of a generation that is there already is wiped. */
  add(generation: number, amk: Buffer): void {
    if (this.#keys.has(generation)) wipe(amk)
    else this.#keys.set(generation, amk)
  }

  /** All but the present one, wrapped under `amk`, which is of `place`. */
  wrappedFor(place: Place, amk: Bytes): readonly EarlierKey[] {
    return this.generations
      .filter((generation) => generation !== place.generation)
      .map((generation) => wrapEarlier(place, generation, this.#keys.get(generation)!, amk))
  }

  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) wipe(key)
  }
}

const context = ({ account, generation }: Place, earlier: number) =>
  label('letterlock earlier key 1', account, generation, earlier)

const wrappingKey = (amk: Bytes) => subkey(amk, label('earlier'))

function wrapEarlier(place: Place, generation: number, earlier: Bytes, amk: Bytes): EarlierKey {
  const wrapped = withKey(wrappingKey(amk), (key) => sealOctets(key, earlier, context(place, generation)))
  return { generation, digest: masterDigest(earlier), wrapped }
}

/**
 * The AMK of a table or a parked group, which is taken over, and all that came before it. Throws TableTampered; then `amk` is wiped.
 */
export function masterKeys(group: Place & { readonly earlier: readonly EarlierKey[] }, amk: Buffer): MasterKeys {
  const found = new MasterKeys(group.generation, amk)
  try {
    for (const { generation, wrapped } of group.earlier) {
      const key = withKey(wrappingKey(amk), (wrapping) => openOctets(wrapping, wrapped, context(group, generation)))
      found.add(generation, key)
    }
    return found
  } catch (error) {
    found[Symbol.dispose]()
    if (error instanceof SealBroken) throw new TableTampered('an earlier key was changed')
    throw error
  }
}
