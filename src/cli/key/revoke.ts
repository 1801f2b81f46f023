/** `letterlock key revoke|revocation`: certificates that are given up. */
import { readFile } from 'node:fs/promises'
import type { RevocationWish } from '#custody/keyring/key-wishes.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { answer } from '../output.ts'
import { ownerSecrets } from '../owner.ts'
import { Premises } from '../premises.ts'
import { type KeyOptions, refusing, unlessWrong } from './desk.ts'
import { findKey } from './list.ts'

export interface RevokeOptions extends KeyOptions {
  readonly reason?: string
  readonly text?: string
  readonly force?: boolean
}

/** RFC 9580 §5.2.3.31 */
const REASONS: Readonly<Record<string, RevocationWish['reason']>> = {
  none: 0,
  superseded: 1,
  compromised: 2,
  retired: 3,
}

export async function revoke(text: string, named: string | undefined, options: RevokeOptions): Promise<void> {
  const reason = REASONS[options.reason ?? 'none']
  if (reason === undefined) throw new UsageError(`--reason is one of ${Object.keys(REASONS).join(', ')}`)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const certificates = await (await premises.directory()).certificates(account.id)
  const one =
    named === undefined ? certificates.find(({ endToEnd }) => endToEnd) : findKey(certificates, named, address)
  if (!one) throw new CliError(`${address} has no key yet`)
  const { fingerprint } = one
  const { owner } = await ownerSecrets(premises, account, options)
  const keyring = await premises.keyring()
  const wish = { fingerprint, reason, text: options.text ?? '', isForced: options.force === true }
  const { wasInUse } = unlessWrong(await refusing(options, () => keyring.revokeKey(account.id, owner, wish)))
  answer(
    options,
    { address, fingerprint, reason: options.reason ?? 'none', wasInUse },
    [`${fingerprint} is revoked; it goes on reading old mail.`, ...(wasInUse ? inUse(address) : [])].join('\n'),
  )
}

const inUse = (address: string): readonly string[] => [
  'It was in use: others are told not to write to it any more, while mail that comes in is still sealed to it at rest.',
  `To let another key take over: letterlock key rotate ${address}`,
]

export async function revocation(text: string, path: string, options: KeyOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const uploaded = await (await premises.keyring()).uploadRevocation(account.id, await readFile(path))
  if (!uploaded) {
    throw new CliError(
      `${path} has no revocation of a certificate of ${address}: none at all, of another key, or not signed by it. Nothing was changed`,
    )
  }
  const { fingerprint, isInUse, wasRevoked } = uploaded
  answer(
    options,
    { address, fingerprint, isInUse, wasRevoked },
    wasRevoked
      ? `${fingerprint} was revoked already.`
      : [`${fingerprint} is revoked.`, ...(isInUse ? inUse(address) : [])].join('\n'),
  )
}
