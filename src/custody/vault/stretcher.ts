/**
 * The slow step from a credential to a key. It costs 64 MiB while it runs, so few run at once, few wait, and beyond that the
 * vault says busy instead of growing.
 */
import { argon2 } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { WorkGate } from '#lib/work-gate.ts'
import { KEY_OCTETS, label, subkey } from './key-derivation.ts'
import type { SlotKdf } from './protocol/slot-table.ts'

/** Argon2id with one lane (RFC 9106 §3.1); memory in KiB. */
export interface Argon2Cost {
  readonly memory: number
  readonly passes: number
}

const AT_ONCE = 2

export class Stretcher {
  /** For new slots, and for accounts that are not there. */
  readonly cost: Argon2Cost
  readonly #gate: WorkGate
  #runs = 0

  constructor(cost: Argon2Cost, waiting: number) {
    this.cost = cost
    this.#gate = new WorkGate(AT_ONCE, waiting)
  }

  /** How many times the slow step was begun. */
  get runs(): number {
    return this.#runs
  }

  /** 32 octets, to be wiped by the caller. Throws Busy. */
  stretch(credential: Bytes, kdf: SlotKdf): Promise<Buffer> {
    // A random code needs no slow step: nobody can try 2^128 of them.
    if (kdf.kind === 'hkdf') return Promise.resolve(subkey(credential, label('letterlock code'), kdf.salt))
    if (kdf.kind === 'openpgp') throw new TypeError('nothing is derived for a certificate')
    return this.#gate.run(() => {
      this.#runs++
      return run(credential, kdf)
    })
  }
}

function run(credential: Bytes, kdf: Extract<SlotKdf, { kind: 'argon2id' }>): Promise<Buffer> {
  const { memory, passes, salt } = kdf
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      { message: credential, nonce: salt, parallelism: 1, tagLength: KEY_OCTETS, memory, passes },
      (error, stretched) => (error ? reject(error) : resolve(stretched)),
    )
  })
}
