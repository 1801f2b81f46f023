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

const KNOWN_MAX = 10_000

/** The same for many messages: what is known is believed while the directory says that nothing was changed, by whatever process. */
export function sealingFrom(directory: Directory): (account: AccountId) => Promise<Sealing> {
  const known = new Map<AccountId, { readonly revision: string; readonly sealing: Sealing }>()
  return async (account) => {
    const revision = directory.revision()
    const before = known.get(account)
    if (before?.revision === revision) return before.sealing
    const sealing = await sealingOf(directory, account)
    known.delete(account)
    if (known.size >= KNOWN_MAX) known.delete(known.keys().next().value!)
    if (directory.revision() === revision) known.set(account, { revision, sealing })
    return sealing
  }
}
