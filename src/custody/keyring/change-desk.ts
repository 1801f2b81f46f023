/** What every change of an account's keys has at hand. */
import { asBuffer } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { Secret } from '#lib/secret.ts'
import type { AccountId, Directory } from '../accounts/directory.ts'
import type { AuditDetail, AuditEvent } from '../audit/audit-log.ts'
import type { AccountFiles } from './account-files.ts'
import type { OwnerSecrets } from './keyring.ts'
import { checkLength } from './refusals.ts'
import type { RevocationDesk } from './revocations.ts'
import type { ScramMark } from './scram-mark.ts'
import type { ServiceKey } from './service-key.ts'
import type { VaultProcess } from './vault-process.ts'

/** The rooms and tools that a change needs, and the account it is about. */
export interface ChangeDesk {
  readonly account: AccountId
  readonly files: AccountFiles
  readonly vault: VaultProcess
  readonly directory: Directory
  readonly revocations: RevocationDesk
  readonly serviceKey: ServiceKey
  readonly scramMark: ScramMark
  readonly clock: Clock
  /** On the disk when it resolves; nothing is changed before. `actor` is who asked: the owner, by a credential, or the operator. */
  readonly record: (event: AuditEvent, detail?: AuditDetail, actor?: 'owner' | 'operator') => Promise<void>
}

export const NO_PASSPHRASE = Buffer.alloc(0)

/** The secrets as the vault takes them. Throws PasswordRefused. */
export function ownerOf({ password, passphrase = NO_PASSPHRASE }: OwnerSecrets) {
  checkLength(password, passphrase)
  return { password, passphrase }
}

/** A code as its owner reads it. */
export const revealed = (code: Uint8Array) => new Secret(asBuffer(code).toString('latin1'))
