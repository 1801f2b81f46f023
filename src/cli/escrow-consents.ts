/** What owners have declared about escrow: recorded and signed first, carried out then. */
import type { Account } from '#custody/accounts/directory.ts'
import {
  type Consent,
  type ConsentWish,
  consentsOf,
  type RecordedConsent,
  recordConsent,
} from '#custody/keyring/consents.ts'
import type { OwnerSecrets } from '#custody/keyring/keyring.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError } from './cli-error.ts'
import type { Premises } from './premises.ts'

export type EscrowConsent = RecordedConsent

const deskOf = async (premises: Premises) => ({
  dataDir: premises.config.data,
  directory: await premises.directory(),
  audit: premises.audit(),
  clock: systemClock,
})

/** The newest decision; null when there was none. */
export async function escrowConsent(premises: Premises, account: Account): Promise<EscrowConsent | null> {
  const all = await consentsOf(await deskOf(premises), account.id)
  return all.findLast(({ subject }) => subject === 'escrow') ?? null
}

export type Declaration = Pick<ConsentWish, 'decision' | 'text' | 'label'>

/**
 * Records the owner's decision, signed by the account's key, then does what was decided. Stopped in between, the decision stands and
 * the command is to be repeated. The secrets are used up. Throws CliError for a wrong password.
 */
export async function declare(
  premises: Premises,
  account: Account,
  owner: OwnerSecrets,
  { declaration, act }: { readonly declaration: Declaration; readonly act: (owner: OwnerSecrets) => Promise<unknown> },
): Promise<Consent> {
  const { password, passphrase } = owner
  const again = {
    password: Buffer.from(password),
    ...(passphrase ? { passphrase: Buffer.from(passphrase) } : {}),
  }
  try {
    const recorded = await sign(premises, account, owner, declaration)
    if (!(await act(again))) throw new CliError('the password was changed meanwhile; repeat the command')
    return recorded
  } finally {
    again.password.fill(0)
    again.passphrase?.fill(0)
  }
}

async function sign(
  premises: Premises,
  account: Account,
  { password, passphrase }: OwnerSecrets,
  declaration: Declaration,
): Promise<Consent> {
  const keyring = await premises.keyring()
  const how = { use: 'owner', ...(passphrase ? { passphrase } : {}) } as const
  await using keys = await keyring.unlock(account.id, password, how)
  if (!keys) throw new CliError('the password or passphrase is wrong; nothing was changed')
  return await recordConsent(await deskOf(premises), keys, { subject: 'escrow', ...declaration })
}
