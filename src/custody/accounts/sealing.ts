/** What an account's mail is sealed to, as the store asks it. */
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId, Directory } from './directory.ts'

export interface Sealing {
  /** Everything rests sealed to it; the account's own keys open it. null: the account has no key yet. */
  readonly certificate: Bytes | null
  /** Content is first wrapped for this one, whose secret the server does not have. */
  readonly device: Bytes | null
}

export async function sealingOf(directory: Directory, account: AccountId): Promise<Sealing> {
  const certificates = await directory.certificates(account)
  const device = certificates.find(({ endToEnd, custody }) => endToEnd && custody === 'device')
  return {
    certificate: certificates.find(({ current }) => current)?.certificate ?? null,
    device: device?.certificate ?? null,
  }
}
