/** `letterlock key import|managed`: whose key it is, and who has its secret. */
import { readFile } from 'node:fs/promises'
import type { Account } from '#custody/accounts/directory.ts'
import type { ImportWish } from '#custody/keyring/key-wishes.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { answer } from '../output.ts'
import { ownerSecrets } from '../owner.ts'
import { Premises } from '../premises.ts'
import { retryUnreadable } from '../sealed-store.ts'
import {
  addressesOf,
  endSessions,
  type KeyOptions,
  keyAlgorithmOf,
  refusing,
  renewalOf,
  resealingLines,
  retiredLines,
  startResealing,
  unlessWrong,
  userIdsOf,
  warningLines,
} from './desk.ts'

export interface ImportOptions extends KeyOptions {
  readonly file?: string
  readonly use?: string
  readonly device?: boolean
  readonly addSubkey?: boolean
  readonly keepOld?: boolean
  readonly reseal?: boolean
}

const USES: readonly string[] = ['both', 'end-to-end', 'reading'] satisfies ImportWish['use'][]
/** Longer than any key that is taken. */
const FILE_OCTETS_MAX = 16 << 20
const ARMOR = '-----BEGIN PGP '

export async function importKey(text: string, named: string | undefined, options: ImportOptions): Promise<void> {
  const path = named ?? options.file
  if (path === undefined) throw new UsageError('name the file with the key: letterlock key import ADDRESS FILE')
  if (path === '-')
    throw new UsageError(
      'standard input is for passwords; name the key as a file, such as <(gpg --export-secret-keys FINGERPRINT)',
    )
  const use = options.use ?? 'both'
  if (!USES.includes(use)) throw new UsageError(`--use: "${use}" is none of ${USES.join(', ')}`)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const octets = await readFile(path)
  if (octets.length > FILE_OCTETS_MAX) throw new CliError(`${path} is too large for a key`)
  if (octets.indexOf(ARMOR, octets.indexOf(ARMOR) + 1) > 0)
    throw new CliError(
      `${path} has more than one key. Export one: gpg --export-secret-keys FINGERPRINT, or gpg --export`,
    )
  if (options.device && isSecretKey(octets))
    throw new CliError(
      `${path} has the secret key, which is to stay on your device. Export the certificate alone: gpg --export FINGERPRINT`,
    )
  if (options.device || isCertificate(octets)) return await importCertificate(premises, account, octets, options)
  await importSecret(premises, account, { tsk: octets, use: use as ImportWish['use'] }, options)
}

/** By its label or its first octet alone; a secret key is never looked into here. */
function beginsWith(octets: Buffer, label: string, packetType: number): boolean {
  if (octets.subarray(0, 1024).includes(`-----BEGIN PGP ${label} KEY BLOCK-----`)) return true
  const [first = 0] = octets
  // RFC 9580 §4.2: both formats
  return first === (0xc0 | packetType) || (first & 0xfc) === (0x80 | (packetType << 2))
}

const isCertificate = (octets: Buffer): boolean => beginsWith(octets, 'PUBLIC', 6)
const isSecretKey = (octets: Buffer): boolean => beginsWith(octets, 'PRIVATE', 5)

const DEVICE_TEXT = [
  'The file has a certificate without its secret. If you go on:',
  '- everything that arrives is encrypted to it before it is stored: only you can read it, with the secret on your device;',
  '- mail programs show it as encrypted mail and need the secret to open it; searching on the server finds nothing in it;',
  '- whoever loses the secret loses that mail: no password and no recovery code opens it;',
  '- mail that is stored already stays as it is, and readable with the password.',
].join('\n')

async function importCertificate(
  premises: Premises,
  account: Account,
  octets: Buffer,
  options: ImportOptions,
): Promise<void> {
  const address = formatAddress(account.address)
  const question = `Keep mail for ${address} readable on your device alone?`
  await confirm({ text: DEVICE_TEXT, question, option: '--device' }, options.device)
  const { owner } = await ownerSecrets(premises, account, options)
  const keyring = await premises.keyring()
  const addresses = await addressesOf(premises, account)
  const used = unlessWrong(
    await refusing(options, () => keyring.useDeviceCertificate(account.id, owner, octets, addresses)),
  )
  await endSessions(premises, account)
  const { fingerprint, warnings } = used
  answer(
    options,
    { address, fingerprint, custody: 'device', warnings },
    [
      `From now on mail for ${address} is encrypted to ${fingerprint}; only its owner's device opens it.`,
      ...warningLines(warnings),
      `To go back: letterlock key managed ${address}`,
    ].join('\n'),
  )
}

async function importSecret(
  premises: Premises,
  account: Account,
  { tsk, use }: Pick<ImportWish, 'tsk' | 'use'>,
  options: ImportOptions,
): Promise<void> {
  const address = formatAddress(account.address)
  const { owner, rest } = await ownerSecrets(premises, account, options, [
    { label: 'Passphrase of the key (empty if it has none)' },
  ])
  const [typed] = rest
  const wish: ImportWish = {
    tsk,
    keyPassphrase: typed!.length === 0 ? null : typed!,
    use,
    addsSubkey: options.addSubkey === true,
    addresses: await addressesOf(premises, account),
    keepsOld: options.keepOld === true,
  }
  const keyring = await premises.keyring()
  const imported = unlessWrong(await refusing(options, () => keyring.importKey(account.id, owner, wish), HINTS))
  const { fingerprint, warnings, retired } = imported
  const takesOver = use === 'both'
  if (takesOver && options.reseal) await startResealing(premises, account)
  else await retryUnreadable(premises, account)
  await endSessions(premises, account)
  answer(
    options,
    { address, fingerprint, use, custody: 'own', warnings, retired },
    [
      `${fingerprint} is imported: ${USE_WORDS[use]}.`,
      ...warningLines(warnings),
      ...retiredLines(retired),
      ...(takesOver ? resealingLines(address, options.reseal) : []),
    ].join('\n'),
  )
}

const ADD_SUBKEY = 'To have a Curve25519 subkey added here: --add-subkey'
const FOR_READING = 'To keep it for old mail: --use reading'
const HINTS: Readonly<Record<string, string>> = {
  'no-encryption-key': ADD_SUBKEY,
  'old-algorithm': ADD_SUBKEY,
  expired: FOR_READING,
  revoked: FOR_READING,
}

const USE_WORDS: Readonly<Record<ImportWish['use'], string>> = {
  both: 'mail is stored under it, and others write to it',
  'end-to-end': 'others write to it; what is stored rests under the key before',
  reading: 'old mail that was written to it can be read',
}

export interface ManagedOptions extends KeyOptions {
  readonly algorithm?: string
  readonly reseal?: boolean
}

export async function managed(text: string, options: ManagedOptions): Promise<void> {
  const algorithm = keyAlgorithmOf(options.algorithm)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { owner } = await ownerSecrets(premises, account, options)
  const keyring = await premises.keyring()
  const wish = { userIds: await userIdsOf(premises, account), algorithm }
  const { fingerprint, made } = unlessWrong(await refusing(options, () => keyring.useManaged(account.id, owner, wish)))
  if (made && options.reseal) await startResealing(premises, account)
  await endSessions(premises, account)
  const renewal = renewalOf(made ?? { ended: 0, recoveryCode: null })
  answer(
    options,
    { address, fingerprint, custody: 'managed', isNew: made !== null, ...renewal.document },
    [
      `Mail for ${address} is sealed to ${fingerprint}, which the provider made${made ? ' now' : ''}.`,
      'Keys of the owner stay for reading old mail; mail that was encrypted to a device still needs that device.',
      ...renewal.lines,
      ...(made ? resealingLines(address, options.reseal) : []),
    ].join('\n'),
  )
}
