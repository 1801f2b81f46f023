/**
 * What the directory cannot be asked for directly: in which accounts a key id is, which address has a hash. Made when it is first
 * needed and made again when the directory has changed, for at most a tenth of the time, however often it changes and is asked. An index
 * that is a little old costs nothing but a moment's delay for what is new: it says where to look, never what is there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { domainKey } from '#custody/accounts/address-key.ts'
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import { wkdHash } from '#formats/hkp/names.ts'
import type { Address } from '#formats/message/address.ts'
import { keysIn } from '#formats/openpgp/certificate.ts'
import type { Clock } from '#lib/clock.ts'
import { keyIdOf, unlessMalformed } from './publication.ts'

type Entries<V> = (directory: Directory) => AsyncIterable<readonly [key: string, value: V]>

/** The share of time that an index may take: one part in this many. */
const SHARE = 10
/** Entries after which others on this thread have a turn. */
const TURN = 32

export class DirectoryIndex<V> {
  readonly #directory: Directory
  readonly #clock: Clock
  readonly #entries: Entries<V>
  #known = new Map<string, V | readonly V[]>()
  #revision: string | null = null
  #making: Promise<void> | null = null
  /** When it was made, and until when that is enough; milliseconds since the epoch. */
  #rest = { from: 0, until: 0 }

  constructor(directory: Directory, clock: Clock, entries: Entries<V>) {
    this.#directory = directory
    this.#clock = clock
    this.#entries = entries
  }

  /** What `look` finds in the values under the key; when that is nothing and the index is old, it is renewed first. */
  async find<T>(
    key: string,
    look: (values: readonly V[]) => readonly T[] | Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const values = this.#valuesOf(key)
    const found = values.length === 0 ? [] : await look(values)
    if (found.length > 0 || !(await this.#renew())) return found
    return look(this.#valuesOf(key))
  }

  #valuesOf(key: string): readonly V[] {
    const known = this.#known.get(key)
    if (known === undefined) return []
    return Array.isArray(known) ? known : [known as V]
  }

  /** Whether there is something newer now. */
  async #renew(): Promise<boolean> {
    if (this.#making === null) {
      const revision = this.#directory.revision()
      if (revision === this.#revision || this.#isResting()) return false
      this.#making = this.#make(revision).finally(() => {
        this.#making = null
      })
    }
    await this.#making
    return true
  }

  /** A clock that was set back ends it. */
  #isResting(): boolean {
    const now = this.#clock.now()
    return this.#rest.from <= now && now < this.#rest.until
  }

  async #make(revision: string): Promise<void> {
    const started = this.#clock.now()
    const made = new Map<string, V | readonly V[]>()
    let step = 0
    for await (const [key, value] of this.#entries(this.#directory)) {
      const before = made.get(key)
      made.set(key, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value])
      if (++step % TURN === 0) await nextTurn()
    }
    this.#known = made
    this.#revision = revision
    const now = this.#clock.now()
    this.#rest = { from: now, until: now + Math.max(0, now - started) * SHARE }
  }
}

/** Key ids of all certificates, primary keys and subkeys, with the account they are in. */
export async function* keyIdsIn(directory: Directory): AsyncGenerator<readonly [string, AccountId]> {
  for (const { id } of await directory.accounts()) {
    const keyIds = new Set<string>()
    for (const { certificate } of await directory.certificates(id)) {
      for (const { fingerprint } of unlessMalformed(() => keysIn(certificate)) ?? []) keyIds.add(keyIdOf(fingerprint))
    }
    for (const keyId of keyIds) yield [keyId, id]
  }
}

/** Every address, under the name that it has in its domain's Web Key Directory. */
export async function* wkdNamesIn(directory: Directory): AsyncGenerator<readonly [string, Address]> {
  const named = (address: Address) => [`${wkdHash(address.local)}@${domainKey(address.domain)}`, address] as const
  for (const { address } of await directory.accounts()) yield named(address)
  for (const { alias } of await directory.aliases()) yield named(alias)
}
