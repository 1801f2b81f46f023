/** What the commands that change an account's keys have in common. */
import type { Account } from '#custody/accounts/directory.ts'
import type { KeyAlgorithm, KeyReason, Renewal } from '#custody/keyring/key-wishes.ts'
import { KeyRefused } from '#custody/keyring/keyring.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { answer, type OutputOptions } from '../output.ts'
import type { PlaceOptions, Premises } from '../premises.ts'
import { openSealedStore } from '../sealed-store.ts'

export interface KeyOptions extends PlaceOptions, OutputOptions {
  readonly passwordStdin?: boolean
}

/** One reason a line on standard error, or with --json a document that has their codes; then for each code that has one, a hint. */
export async function refusing<T>(
  options: OutputOptions,
  act: () => Promise<T>,
  hints: Readonly<Record<string, string>> = {},
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof KeyRefused)) throw error
    if (options.json) answer(options, { refused: error.reasons }, '')
    const known = new Set(error.reasons.flatMap(({ code }) => hints[code] ?? []))
    throw new CliError([error.message, ...known].join('\n'))
  }
}

export function unlessWrong<T>(result: T | null): T {
  if (result === null) throw new CliError('the password or passphrase is wrong; nothing was changed')
  return result
}

const ALGORITHMS: readonly string[] = ['curve25519', 'rsa3072', 'rsa4096'] satisfies KeyAlgorithm[]

export function keyAlgorithmOf(text = 'curve25519'): KeyAlgorithm {
  if (ALGORITHMS.includes(text)) return text as KeyAlgorithm
  throw new UsageError(`--algorithm: "${text}" is none of ${ALGORITHMS.join(', ')}`)
}

/** As `local@domain`, the primary one first. */
export async function addressesOf(premises: Premises, account: Account): Promise<readonly string[]> {
  return (await (await premises.directory()).addresses(account.id)).map(formatAddress)
}

export const userIdsOf = async (premises: Premises, account: Account): Promise<readonly string[]> =>
  (await addressesOf(premises, account)).map((address) => `<${address}>`)

export const endSessions = (premises: Premises, account: Account): Promise<void> =>
  premises.tell(`/accounts/${account.id}/end-sessions`)

/** What was sealed before comes under the new key while its owner is logged in. */
export async function startResealing(premises: Premises, account: Account): Promise<void> {
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  await mail.resealing('running')
}

export const resealingLines = (address: string, isStarted: boolean | undefined): readonly string[] =>
  isStarted
    ? ['Old mail is sealed to the new key while its owner is logged in.']
    : [`Old mail stays readable. To bring it under the new key: letterlock key reseal ${address}`]

export const warningLines = (warnings: readonly KeyReason[]): readonly string[] =>
  warnings.map(({ text }) => `Warning: ${text}`)

export const retiredLines = (retired: readonly string[]): readonly string[] =>
  retired.map((fingerprint) => `Revoked:       ${fingerprint} (kept to read old mail)`)

/** The recovery code is in the document too: it is shown this once. */
export function renewalOf({ ended, recoveryCode }: Renewal) {
  const code = recoveryCode?.reveal() ?? null
  const lines = [
    ...(ended > 0 ? [`${ended} app password(s) of an old form have ended: make new ones.`] : []),
    ...(code === null
      ? []
      : [`Recovery code: ${code}`, 'The recovery code before no longer counts: write this one down.']),
  ]
  return { lines, document: { ended, recoveryCode: code } }
}
