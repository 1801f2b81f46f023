/**
 * What the mail store asks while it opens mail that its sender sealed, answered for one account. Light: every session that reads has
 * one, and few have such mail, so what answers is loaded when it is asked.
 */
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import type { ReadingKeys } from '#custody/store/mail-store.ts'
import type { ScanVerdict, UnsealingAid } from '#custody/store/unsealing-aid.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { FindSigners } from './signers.ts'

export interface UnsealingAidOptions {
  readonly account: AccountId
  readonly directory: Pick<Directory, 'certificates'>
  readonly signers: FindSigners
  /** null: nobody scans here. */
  readonly scan: ((message: Bytes) => Promise<ScanVerdict>) | null
  readonly authservId: string
  readonly clock: Clock
}

export function createUnsealingAid(options: UnsealingAidOptions): UnsealingAid {
  const { account, directory, signers, scan, authservId, clock } = options
  return {
    authservId,
    now: () => clock.now(),
    async own() {
      const { keysIn } = await import('#formats/openpgp/certificate.ts')
      const { keyIdOf, unlessMalformed } = await import('../keyserver/publication.ts')
      const held = (await directory.certificates(account)).filter(({ custody }) => custody === 'held')
      const keys = held.flatMap(({ certificate }) => unlessMalformed(() => keysIn(certificate)) ?? [])
      return {
        certificates: held.map(({ fingerprint }) => fingerprint),
        keys: keys.flatMap(({ fingerprint }) => [fingerprint, keyIdOf(fingerprint)]),
      }
    },
    signers: (author, issuers) => signers(author, issuers, account),
    scans: scan !== null,
    scan: async (message) => (scan ? await scan(message) : 'unscanned'),
  }
}

/** The same keys, with the aid. */
export const withAid = (keys: ReadingKeys, aid: UnsealingAid): ReadingKeys => new AidedKeys(keys, aid)

/** A class, as every session has one: no closure for each of its methods. */
class AidedKeys implements ReadingKeys {
  readonly aid: UnsealingAid
  readonly #keys: ReadingKeys

  constructor(keys: ReadingKeys, aid: UnsealingAid) {
    this.#keys = keys
    this.aid = aid
  }

  sessionKeys(pkesks: readonly Bytes[]): Promise<readonly (Bytes | null)[]> {
    return this.#keys.sessionKeys(pkesks)
  }

  indexKey(): Promise<Bytes> {
    return this.#keys.indexKey()
  }

  async olderIndexKeys(): Promise<readonly Bytes[]> {
    return (await this.#keys.olderIndexKeys?.()) ?? []
  }
}
