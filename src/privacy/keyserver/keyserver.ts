/**
 * The keyserver: which certificates this provider publishes, and under which names. It knows no HTTP (servers/hkp does) and no secret.
 *
 * By address there is one certificate at most: the account's current one for end to end, with the one user id that was asked for. So a
 * sender can neither pick an old key nor learn the owner's other addresses. By fingerprint or key id, of a primary key or a subkey,
 * there is every certificate of the account that mail was or is sealed to or signed with, with its revocation when it is given up: who
 * holds an old signature can still check it. What is served is cleaned of everything that its owner did not sign.
 *
 * Promises: at no moment is there no current certificate or more than one, also while a key is rotated; a revoked one is found by
 * fingerprint only; suspended accounts are found by fingerprint only; what is asked exactly is answered exactly, and nothing lists
 * anybody. It must never answer for addresses of others, fall back to a similar address, or log who was asked for.
 *
 * draft-ietf-openpgp-hkp-01, draft-koch-openpgp-webkey-service-21, RFC 9580 §10.1.
 */
import { addressKey, domainKey } from '#custody/accounts/address-key.ts'
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import { RecentlyUsed } from '#lib/recently-used.ts'
import { DirectoryIndex, keyIdsIn, wkdNamesIn } from './directory-index.ts'
import { hasKey, keyIdOf, type Publication, publishedByAddress, publishedByKey } from './publication.ts'

export interface Keyserver {
  /** Another text once anything that is published may have changed. Costs a few microseconds. */
  revision(): string
  isOurs(domain: string): Promise<boolean>
  /** The current certificate, or null. */
  byAddress(address: Address): Promise<Publication | null>
  /** Of a primary key or a subkey; upper-case hex. null: none of ours. */
  byFingerprint(fingerprint: string): Promise<Publication | null>
  /** 16 digits of upper-case hex, of a primary key or a subkey. Key ids can be made to collide: there may be several. */
  byKeyId(keyId: string): Promise<readonly Publication[]>
  /** The address whose local-part has this hash in the Web Key Directory of a domain, for clients that send the hash alone. */
  addressOfHash(domain: string, hash: string): Promise<Address | null>
}

/** Certificates kept ready to be sent, and their octets at most. */
const MOST_KEPT = 2000
const HEAVIEST_KEPT = 8 << 20
/** More accounts with one key id are an attack on somebody. */
const MOST_COLLISIONS = 4

export function createKeyserver(options: { readonly directory: Directory; readonly clock: Clock }): Keyserver {
  return new DirectoryKeyserver(options.directory, options.clock)
}

class DirectoryKeyserver implements Keyserver {
  readonly #directory: Directory
  readonly #clock: Clock
  readonly #keys: DirectoryIndex<AccountId>
  readonly #hashes: DirectoryIndex<Address>
  readonly #kept = new RecentlyUsed<Publication>(MOST_KEPT, HEAVIEST_KEPT)
  #keptRevision = ''

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory
    this.#clock = clock
    this.#keys = new DirectoryIndex(directory, clock, keyIdsIn)
    this.#hashes = new DirectoryIndex(directory, clock, wkdNamesIn)
  }

  revision(): string {
    return this.#directory.revision()
  }

  async isOurs(domain: string): Promise<boolean> {
    const wanted = domainKey(domain)
    return (await this.#directory.domains()).some((own) => domainKey(own) === wanted)
  }

  byAddress(address: Address): Promise<Publication | null> {
    return this.#keep(`address ${addressKey(address)}`, async () => {
      // An account's own address, or an alias that leads to it alone; neither plus-addresses nor what falls to the postmaster.
      const account = await this.#directory.accountByLogin(formatAddress(address))
      if (account?.state !== 'active') return null
      const certificates = await this.#directory.certificates(account.id)
      const current = certificates.find(({ endToEnd }) => endToEnd)
      return current ? publishedByAddress(current, address, this.#clock.now()) : null
    })
  }

  async byFingerprint(fingerprint: string): Promise<Publication | null> {
    return this.#keep(`key ${fingerprint}`, async () => {
      const found = await this.#withKey(keyIdOf(fingerprint), (one) => hasKey(one, fingerprint))
      return found[0] ?? null
    })
  }

  byKeyId(keyId: string): Promise<readonly Publication[]> {
    return this.#withKey(keyId, () => true)
  }

  async addressOfHash(domain: string, hash: string): Promise<Address | null> {
    const [address] = await this.#hashes.find(`${hash}@${domainKey(domain)}`, (found) => found)
    return address ?? null
  }

  /** The index says in which accounts to look; what they have is read now. */
  #withKey(keyId: string, fits: (one: Publication) => boolean): Promise<readonly Publication[]> {
    return this.#keys.find(keyId, async (accounts) => {
      const found: Publication[] = []
      for (const account of accounts.slice(0, MOST_COLLISIONS)) {
        const addresses = await this.#directory.addresses(account)
        for (const stored of await this.#directory.certificates(account)) {
          if (stored.use === 'reading') continue
          const one = publishedByKey(stored, { keyId, addresses, now: this.#clock.now() })
          if (one && fits(one)) found.push(one)
        }
      }
      return found
    })
  }

  /** What was prepared before is believed while the directory says that nothing was changed. */
  async #keep(key: string, prepare: () => Promise<Publication | null>): Promise<Publication | null> {
    const revision = this.revision()
    if (revision !== this.#keptRevision) this.#kept.clear()
    this.#keptRevision = revision
    const known = this.#kept.get(key)
    if (known) return known
    const found = await prepare()
    if (found && this.#keptRevision === revision && this.revision() === revision) {
      this.#kept.set(key, found, found.octets.length)
    }
    return found
  }
}
