/** A keyring with its vault process, its directory and an account, in a temporary folder. */
import { mkdir } from 'node:fs/promises'
import type { Directory } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import type { NewKeys } from '#custody/keyring/keyring.ts'
import { type KeyringOptions, openKeyring, type VaultKeyring } from '#custody/keyring/vault-keyring.ts'
import type { Address } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { type TemporaryDirectory, temporaryDirectory } from './temporary.ts'

/** Of derivations in tests: the least there is, since what counts is how many there are. */
export const CHEAP = { memory: 64, passes: 1, waiting: 64 }
export const PASSWORD = 'correct horse battery'
export const VAULT_UID = 65_533
export const addressOf = (account: string): Address => ({ local: account, domain: 'alpha.test' })

export const noAudit = { record: async () => {} }

export interface KeyringBench extends AsyncDisposable {
  readonly folder: TemporaryDirectory
  readonly directory: Directory
  readonly keyring: VaultKeyring
  /** Another keyring over the same files, with a vault of its own, as another process has. */
  another(options?: Partial<KeyringOptions>): Promise<VaultKeyring>
  /** Makes the account ID@alpha.test and enters it in the directory. */
  account(id: string): Promise<NewKeys>
}

export async function keyringBench(options: Partial<KeyringOptions> = {}): Promise<KeyringBench> {
  const folder = await temporaryDirectory('keyring')
  await mkdir(folder.join('keys'))
  const directory = await openDirectory(folder.join('directory.db'))
  await directory.addDomain('alpha.test')
  const standard: KeyringOptions = {
    dataDir: folder.path,
    directory,
    audit: noAudit,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    graceMs: 0,
    vault: { uid: VAULT_UID },
    argon2: CHEAP,
  }
  const another = (changed: Partial<KeyringOptions> = {}) => openKeyring({ ...standard, ...options, ...changed })
  const keyring = await another()
  return {
    folder,
    directory,
    keyring,
    another,
    async account(id) {
      const address = addressOf(id)
      const keys = await keyring.create(id, address, Buffer.from(PASSWORD), 'curve25519')
      await directory.addAccount({ id, address, state: 'active', created: 1, quota: null }, keys.certificate)
      return keys
    },
    async [Symbol.asyncDispose]() {
      await keyring[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
