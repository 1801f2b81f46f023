/** Every change of an account's keys, as steps that leave something that opens after each of them. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { Secret } from '#lib/secret.ts'
import type { AccountId, Directory, StoredCertificate } from '../accounts/directory.ts'
import type { AnswerOf } from '../vault/protocol/protocol.ts'
import type { AccountFiles } from './account-files.ts'
import { type AccountReading, readAccount } from './account-reading.ts'
import { AccountKeysDamaged, type KeyAlgorithm, type NewKeys, RecoveryCodeMistyped } from './keyring.ts'
import type { LockedKeyFile } from './locked-key-file.ts'
import { asked, checkLength } from './refusals.ts'
import type { RevocationDesk } from './revocations.ts'
import type { VaultProcess } from './vault-process.ts'

/** The rooms and tools that a change needs, and the account it is about. */
export interface ChangeDesk {
  readonly account: AccountId
  readonly files: AccountFiles
  readonly vault: VaultProcess
  readonly directory: Directory
  readonly revocations: RevocationDesk
  readonly clock: Clock
}

const revealed = (code: Uint8Array) => new Secret(asBuffer(code).toString('latin1'))

const userIdOf = (address: Address) => `<${formatAddress(address)}>`

const stored = (key: LockedKeyFile): StoredCertificate => ({
  fingerprint: key.fingerprint,
  certificate: key.certificate,
  since: key.since,
  current: true,
})

/** The key and its revocation before the table that names it: a table never names what is not there. */
async function writeNewKeys(desk: ChangeDesk, made: AnswerOf<'create'>, generation: number): Promise<NewKeys> {
  const { account, files, revocations, clock } = desk
  const { fingerprint, certificate, locked } = made
  const key = { fingerprint, generation, since: clock.now(), certificate, locked }
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
    const request = { account, userId: userIdOf(address), algorithm, created: clock.now(), password }
    return writeNewKeys(desk, await asked(account, vault.call('create', request)), 1)
  })
}

/** Reads back what is on the disk, opens it with the new password, and only then lets the old slots go. */
async function settle({ account, files, vault }: ChangeDesk, password: Buffer): Promise<void> {
  const { octets } = await files.table()
  const answer = await asked(account, vault.call('settle', { account, table: octets, password }))
  if (answer.kind === 'wrong') {
    throw new AccountKeysDamaged(
      `what was written to the keyslots of account ${account} does not open; the old password still does. Check the disk.`,
    )
  }
  await files.writeTable(answer.table)
}

export async function changePassword(desk: ChangeDesk, old: Buffer, next: Buffer): Promise<boolean> {
  checkLength(old, next)
  const { account, files, vault, clock } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, created: clock.now(), old, next }
    const answer = await asked(account, vault.call('changePassword', request))
    if (answer.kind === 'wrong') return false
    await files.writeTable(answer.table)
    await settle(desk, next)
    return true
  })
}

export async function recover(
  desk: ChangeDesk,
  code: Buffer,
  next: Buffer,
): Promise<{ recoveryCode: Secret<string> } | null> {
  checkLength(code, next)
  const { account, files, vault, clock } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, created: clock.now(), code, next }
    const answer = await asked(account, vault.call('recover', request))
    if (answer.kind === 'wrong') return null
    if (answer.kind === 'mistyped') {
      throw new RecoveryCodeMistyped('this is not a recovery code: compare it with your copy, six groups of five')
    }
    await files.writeTable(answer.table)
    await settle(desk, next)
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
  const { account, files, vault, directory, clock } = desk
  return files.exclusively(async () => {
    const { table, octets } = await files.table()
    const userId = userIdOf(address)
    const request = { account, table: octets, userId, algorithm, created: clock.now(), password }
    const made = await asked(account, vault.call('reset', request))
    const keys = await writeNewKeys(desk, made, table.generation + 1)
    await finishReset(desk, await readAccount(account, files, directory))
    return keys
  })
}

/** Tells the directory of the new certificate and revokes the old ones. Idempotent; also run when a reset was interrupted. */
export async function finishReset(
  { account, files, directory, revocations }: ChangeDesk,
  { unfinished }: AccountReading,
): Promise<void> {
  if (!unfinished) return
  if (unfinished.missing) await directory.addCertificate(account, stored(unfinished.missing))
  for (const { fingerprint } of unfinished.unrevoked) {
    const sealed = await files.revocation(fingerprint)
    if (!sealed) continue
    const revocation = await revocations.open({ account, fingerprint }, sealed)
    await directory.revokeCertificate(account, fingerprint, revocation)
  }
}

/** The keys first: until the table lets the parked slots go, everything can be done again. */
export async function relink(desk: ChangeDesk, password: Buffer, old: Buffer): Promise<{ relinked: number } | null> {
  checkLength(password, old)
  const { account, files, vault, directory } = desk
  return files.exclusively(async () => {
    const { octets, table, parked } = await readAccount(account, files, directory)
    const request = { account, table: octets, keys: parked, password, old }
    const answer = await asked(account, vault.call('relink', request))
    if (answer.kind !== 'relinked') return null
    for (const { fingerprint, certificate, locked } of answer.keys) {
      const since = parked.find((one) => one.fingerprint === fingerprint)?.since ?? desk.clock.now()
      await files.writeLockedKey({ fingerprint, generation: table.generation, since, certificate, locked })
    }
    await files.writeTable(answer.table)
    return { relinked: answer.keys.length }
  })
}

export async function exportSecretKey(desk: ChangeDesk, password: Buffer, passphrase: Buffer): Promise<string | null> {
  checkLength(password, passphrase)
  const { account, files, vault, directory } = desk
  const { octets, keys } = await readAccount(account, files, directory)
  const request = { account, table: octets, keys, password, passphrase }
  const answer = await asked(account, vault.call('exportKeys', request))
  return answer.kind === 'wrong' ? null : asBuffer(answer.armored).toString('latin1')
}
