/**
 * What a client that logs in by SCRAM is told before it has shown anything (RFC 5802 §5.1): a salt that says nothing. It is derived from
 * the name alone, for those that nobody has as for those of accounts, and an account's first app password is salted with what its name
 * was told before. An alias is told a salt of its own, with which no password is right: that two names belong to one person is not
 * for everybody to know.
 */
import { parseAddress } from '#formats/message/address.ts'
import { addressKey } from '../accounts/address-key.ts'
import type { AccountId, Directory } from '../accounts/directory.ts'
import { SCRAM_ITERATIONS, SCRAM_SALT_OCTETS, type ScramTerms, scramTerms } from '../vault/protocol/slot-table.ts'
import type { AccountFiles } from './account-files.ts'
import type { ServiceKey } from './service-key.ts'

export interface SaltPlace {
  readonly account: AccountId
  readonly files: AccountFiles
  readonly directory: Directory
  readonly serviceKey: ServiceKey
}

const saltOf = (name: string, serviceKey: ServiceKey): Promise<Buffer> =>
  serviceKey.derived('scram salt', name, SCRAM_SALT_OCTETS)

/** For the account's first app password. */
export async function firstSalt({ account, directory, serviceKey }: Omit<SaltPlace, 'files'>): Promise<Buffer> {
  const known = await directory.account(account)
  return saltOf(known ? addressKey(known.address) : account, serviceKey)
}

/** `place` null: nobody has the name. */
export async function termsToldTo(
  name: string,
  place: Omit<SaltPlace, 'serviceKey'> | null,
  serviceKey: ServiceKey,
): Promise<ScramTerms> {
  const address = parseAddress(name)
  const key = address ? addressKey(address) : name.toLowerCase()
  const derived = { salt: await saltOf(key, serviceKey), iterations: SCRAM_ITERATIONS }
  if (!place) return derived
  const { table } = await place.files.table()
  const known = await place.directory.account(place.account)
  const isOwn = known !== null && addressKey(known.address) === key
  return (isOwn ? scramTerms(table) : null) ?? derived
}
