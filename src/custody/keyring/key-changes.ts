/** Every change of an account's keys, as steps that leave something that opens after each of them. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { Secret } from '#lib/secret.ts'
import type { NewCertificate } from '../accounts/directory.ts'
import type { AnswerOf } from '../vault/protocol/protocol.ts'
import { decodeTable } from '../vault/protocol/slot-table.ts'
import { readAccount } from './account-reading.ts'
import { type ChangeDesk, ownerOf, revealed } from './change-desk.ts'
import { finishChange } from './finishing.ts'
import type { KeyAlgorithm } from './key-wishes.ts'
import { AccountKeysDamaged, type NewKeys, type OwnerSecrets, RecoveryCodeMistyped } from './keyring.ts'
import { digestText, type LockedKeyFile } from './locked-key-file.ts'
import { asked, checkLength, unlessDenied } from './refusals.ts'

export const userIdOf = (address: Address) => `<${formatAddress(address)}>`

const stored = ({ fingerprint, certificate, since }: LockedKeyFile): NewCertificate => ({
  fingerprint,
  certificate,
  since,
  use: 'both',
  custody: 'held',
})

/** The key and its revocation before the table that names it: a table never names what is not there. */
async function writeNewKeys(desk: ChangeDesk, made: AnswerOf<'create'>, generation: number): Promise<NewKeys> {
  const { account, files, revocations, clock } = desk
  const { fingerprint, certificate, locked } = made
  const since = clock.now()
  const digest = digestText(decodeTable(made.table).digest)
  const facts = { fingerprint, generation, digest, since, origin: 'made' } as const
  const key = { ...facts, certificate: Buffer.from(certificate), locked }
  await files.writeLockedKey(key)
  await files.writeRevocation(fingerprint, await revocations.seal({ account, fingerprint }, made.revocation))
  await files.writeTable(made.table)
  return { certificate: stored(key), recoveryCode: revealed(made.recoveryCode) }
}

export async function create(
  desk: ChangeDesk,
  address: Address,
  password: Buffer,
  algorithm: KeyAlgorithm,
): Promise<NewKeys> {
  checkLength(password)
  const { account, files, vault, clock } = desk
  await files.makeFolders()
  return files.exclusively(async () => {
    if (await files.isThere()) throw new Error(`account ${account} has keys already`)
    const request = {
      account,
      userId: userIdOf(address),
      algorithm,
      withKey: 'yes',
      created: clock.now(),
      password,
    } as const
    return writeNewKeys(desk, await asked(account, vault.call('create', request)), 1)
  })
}

export async function createWithoutKey(desk: ChangeDesk, password: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
  checkLength(password)
  const { account, files, vault, clock } = desk
  await files.makeFolders()
  return files.exclusively(async () => {
    if (await files.isThere()) throw new Error(`account ${account} has keys already`)
    const wish = { userId: '', algorithm: 'curve25519', withKey: 'no' } as const
    const made = await asked(account, vault.call('create', { account, ...wish, created: clock.now(), password }))
    await files.writeTable(made.table)
    return { recoveryCode: revealed(made.recoveryCode) }
  })
}

/** Reads back what is on the disk, opens it with the new password, and only then lets the old slots go, and the blocked ones. */
export async function settle(desk: ChangeDesk, owner: OwnerSecrets): Promise<void> {
  const { account, files, vault } = desk
  const { octets } = await files.table()
  const answer = await asked(account, vault.call('settle', { account, table: octets, ...ownerOf(owner) }))
  if (answer.kind !== 'changed') {
    throw new AccountKeysDamaged(
      `what was written to the keyslots of account ${account} does not open; the old password still does. Check the disk.`,
    )
  }
  await files.writeTable(answer.table)
  await dropBlocked(desk, owner)
}

/** The table first: a slot that is named twice as gone is gone all the same. Hold the lock. */
export async function dropBlocked({ account, files, vault }: ChangeDesk, owner: OwnerSecrets): Promise<void> {
  const { table, octets } = await files.table()
  const slots = [...(await files.blocked(table))]
  if (slots.length === 0) return
  const answer = await asked(account, vault.call('dropSlots', { account, table: octets, ...ownerOf(owner), slots }))
  // Whoever is not let in here is told so by the change itself.
  if (answer.kind !== 'changed') return
  await files.writeTable(answer.table)
  await files.writeBlocked([])
}

export async function changePassword(desk: ChangeDesk, owner: OwnerSecrets, next: Buffer): Promise<boolean> {
  checkLength(owner.password, next)
  const { account, files, vault, clock, record } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, created: clock.now(), ...ownerOf(owner), next }
    const answer = unlessDenied(await asked(account, vault.call('changePassword', request)))
    if (!answer) return false
    await record('password.changed')
    await files.writeTable(answer.table)
    await settle(desk, { ...owner, password: next })
    return true
  })
}

export async function recover(
  desk: ChangeDesk,
  code: Buffer,
  next: Buffer,
): Promise<{ recoveryCode: Secret<string> } | null> {
  checkLength(code, next)
  const { account, files, vault, clock, record } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, created: clock.now(), code, next }
    const answer = await asked(account, vault.call('recover', request))
    if (answer.kind === 'wrong') return null
    if (answer.kind === 'mistyped') {
      throw new RecoveryCodeMistyped('this is not a recovery code: compare it with your copy, six groups of five')
    }
    await record('password.recovered')
    await files.writeTable(answer.table)
    await settle(desk, { password: next })
    return { recoveryCode: revealed(answer.recoveryCode) }
  })
}

export async function reset(
  desk: ChangeDesk,
  address: Address,
  password: Buffer,
  algorithm: KeyAlgorithm,
): Promise<NewKeys> {
  checkLength(password)
  const { account, files, vault, directory, clock, record } = desk
  return files.exclusively(async () => {
    const { table, octets } = await files.table()
    const userId = userIdOf(address)
    const request = {
      account,
      table: octets,
      userId,
      algorithm,
      withKey: 'yes',
      created: clock.now(),
      password,
    } as const
    const made = await asked(account, vault.call('reset', request))
    await record('account.reset', { fingerprint: made.fingerprint }, 'operator')
    const keys = await writeNewKeys(desk, made, table.generation + 1)
    await finishChange(desk, await readAccount(account, files, directory))
    return keys
  })
}

/** The same for an account that has no key yet: its owner has not agreed to one. */
export async function resetWithoutKey(desk: ChangeDesk, password: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
  checkLength(password)
  const { account, files, vault, clock, record } = desk
  return files.exclusively(async () => {
    const { table, octets } = await files.table()
    if (table.current !== '') throw new Error(`account ${account} has a key`)
    const wish = { userId: '', algorithm: 'curve25519', withKey: 'no', created: clock.now() } as const
    const made = await asked(account, vault.call('reset', { account, table: octets, ...wish, password }))
    await record('account.reset', {}, 'operator')
    await files.writeTable(made.table)
    return { recoveryCode: revealed(made.recoveryCode) }
  })
}

export async function relink(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  { password: old, passphrase: oldPassphrase }: ReturnType<typeof ownerOf>,
): Promise<{ relinked: number } | null> {
  const { account, files, vault, directory, record } = desk
  return files.exclusively(async () => {
    const { octets, parked } = await readAccount(account, files, directory)
    const request = { account, table: octets, ...ownerOf(owner), old, oldPassphrase }
    const answer = unlessDenied(await asked(account, vault.call('relink', request)))
    if (answer?.kind !== 'relinked') return null
    const generations = new Set(answer.generations)
    const relinked = parked.filter(({ generation }) => generations.has(generation)).length
    await record('account.relinked', { keys: relinked })
    await files.writeTable(answer.table)
    return { relinked }
  })
}

export async function exportSecretKey(desk: ChangeDesk, owner: OwnerSecrets, lock: Buffer): Promise<string | null> {
  checkLength(owner.password, lock)
  const { account, files, vault, directory, record } = desk
  const { octets, keys } = await readAccount(account, files, directory)
  const request = { account, table: octets, keys, ...ownerOf(owner), lock }
  const answer = unlessDenied(await asked(account, vault.call('exportKeys', request)))
  if (!answer) return null
  await record('key.exported', { keys: keys.length })
  return asBuffer(answer.armored).toString('latin1')
}
