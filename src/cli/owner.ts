/**
 * How a command gets what shows that the owner stands behind it: the account's password, and its separate passphrase where it
 * has one, then whatever else the command asks for. The same order at the prompt and on standard input.
 */
import type { Account } from '#custody/accounts/directory.ts'
import type { OwnerSecrets } from '#custody/keyring/keyring.ts'
import type { Premises } from './premises.ts'
import { readSecrets, type SecretPrompt } from './secrets.ts'

/** All Buffers belong to the caller; the keyring wipes those that it is given. */
export interface OwnerAnswers {
  readonly owner: OwnerSecrets
  /** Those of the extra prompts, in their order. */
  readonly rest: Buffer[]
}

/** Starts the vault before it asks: who cannot be served is not made to type. */
export async function ownerSecrets(
  premises: Premises,
  account: Account,
  options: { readonly passwordStdin?: boolean },
  extra: readonly SecretPrompt[] = [],
): Promise<OwnerAnswers> {
  const slots = await (await premises.keyring()).keyslots(account.id)
  const hasPassphrase = slots.some(({ type }) => type === 'passphrase')
  const own = hasPassphrase ? [{ label: 'Password' }, { label: 'Passphrase' }] : [{ label: 'Password' }]
  const answers = await readSecrets([...own, ...extra], options.passwordStdin === true)
  const owner = hasPassphrase ? { password: answers[0]!, passphrase: answers[1]! } : { password: answers[0]! }
  return { owner, rest: answers.slice(own.length) }
}
