/** What the vault's one-word refusals mean to somebody who can act on them. */
import type { AccountId } from '../accounts/directory.ts'
import { CREDENTIAL_OCTETS_MAX, PASSWORD_OCTETS_MIN, type RefusalReason } from '../vault/protocol/protocol.ts'
import {
  AccountKeysDamaged,
  KeyRefused,
  KeyslotsFull,
  PassphraseNeeded,
  PasswordRefused,
  VaultBusy,
} from './keyring.ts'
import { VaultRefusal } from './vault-process.ts'

const LENGTHS = `a password or passphrase must have ${PASSWORD_OCTETS_MIN} to ${CREDENTIAL_OCTETS_MAX} octets`

function meaning(why: RefusalReason, account: AccountId): Error | null {
  switch (why) {
    case 'busy':
      return new VaultBusy('too many logins are waiting; try again in a moment')
    case 'weak':
      return new PasswordRefused(LENGTHS)
    case 'full':
      return new KeyslotsFull(
        `account ${account} has no room left for this in its keyslots: revoke app passwords, or relink it with old passwords to free some. After 50 rotations and resets there is room for resets alone`,
      )
    case 'tampered':
      return new AccountKeysDamaged(
        `the keyslots of account ${account} were changed by somebody else: restore keyslots.a and keyslots.b from a backup`,
      )
    case 'mismatch':
      return new AccountKeysDamaged(
        `a locked key of account ${account} does not belong to its certificate, or was changed: restore the account's keys folder and the directory from one backup`,
      )
    case 'closed':
    case 'forbidden':
    case 'malformed':
    case 'failed':
      return null
  }
}

/** Passes the answer on; a refusal becomes the keyring's own error. */
export async function asked<T>(account: AccountId, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw (error instanceof VaultRefusal && meaning(error.why, account)) || error
  }
}

/** Throws PasswordRefused for what the vault's frames have no room for; the shortest is the vault's to judge. */
export function checkLength(...credentials: readonly Buffer[]): void {
  if (credentials.some((one) => one.length > CREDENTIAL_OCTETS_MAX)) throw new PasswordRefused(LENGTHS)
}

export const refused = (code: string, text: string): KeyRefused => new KeyRefused([{ code, text }])

/** null for a wrong password or passphrase. Throws PassphraseNeeded. */
export function unlessDenied<T extends { readonly kind: string }>(
  answer: T,
): Exclude<T, { readonly kind: 'wrong' } | { readonly kind: 'passphrase' }> | null {
  if (answer.kind === 'passphrase') throw new PassphraseNeeded()
  return answer.kind === 'wrong'
    ? null
    : (answer as Exclude<T, { readonly kind: 'wrong' } | { readonly kind: 'passphrase' }>)
}
