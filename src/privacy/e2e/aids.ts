import type { AccountId } from '#custody/accounts/directory.ts'
import type { UnsealingAid } from '#custody/store/unsealing-aid.ts'
import { once } from '#lib/once.ts'
import type { DiscovererSource } from '../discovery/discovery.ts'
import type { Scanner } from '../scanning/scanning.ts'
import { createUnsealingAid, type UnsealingAidOptions } from './unsealing-aid.ts'

export interface AidsOptions extends Pick<UnsealingAidOptions, 'directory' | 'authservId' | 'clock'> {
  readonly discovery: DiscovererSource
  /** null: nobody scans here. */
  readonly scanner: (() => Promise<Pick<Scanner, 'scan'>>) | null
}

/** An aid for each account that is opened. What answers is made for all of them together, with the first message that asks. */
export function createAids(options: AidsOptions): (account: AccountId) => UnsealingAid {
  const { directory, authservId, clock, discovery, scanner } = options
  const signers = once(async () => (await import('./signers.ts')).createSigners({ discovery, clock }))
  return (account) =>
    createUnsealingAid({
      account,
      directory,
      signers: async (...question) => (await signers())(...question),
      scan: scanner && (async (message) => (await scanner()).scan(message)),
      authservId,
      clock,
    })
}
