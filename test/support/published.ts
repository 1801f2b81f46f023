/** A directory with accounts that have keys, for tests of what is published: no vault, no passwords. */
import type { CertificateUse, Directory, NewCertificate } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { type GeneratedKeys, generateKeys } from '#formats/openpgp/generate.ts'
import type { KeyAlgorithm } from '#formats/openpgp/new-key.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { address } from './fake-mail.ts'
import { temporaryDirectory } from './temporary.ts'

/** When all keys are made. */
export const MADE = Date.UTC(2026, 10, 1)

export interface MadeKey extends GeneratedKeys {
  /** Upper-case hex, like the next. */
  readonly fingerprint: string
  readonly subkey: string
}

/** Of Curve25519 unless told otherwise. */
export async function madeKey(userIds: readonly string[], algorithm: KeyAlgorithm = 'curve25519'): Promise<MadeKey> {
  const [userId = '', ...otherUserIds] = userIds
  const made = await generateKeys({ userId, otherUserIds, algorithm, created: new Date(MADE) })
  const { certificate } = openSecretKeys(made.secret)
  return { ...made, fingerprint: certificate.fingerprint, subkey: certificate.encryptionKeys[0]!.fingerprint }
}

export function stored(key: MadeKey, use: CertificateUse = 'both'): NewCertificate {
  return { fingerprint: key.fingerprint, certificate: key.certificate, since: MADE, use, custody: 'held' }
}

export interface PublishedHouse extends AsyncDisposable {
  readonly directory: Directory
  /** The account NAME with the address NAME@alpha.test. */
  addAccount(name: string, key: MadeKey | null): Promise<void>
}

/** Our domains are alpha.test and beta.test. */
export async function openPublishedHouse(): Promise<PublishedHouse> {
  const folder = await temporaryDirectory('published')
  const directory = await openDirectory(folder.join('directory.db'))
  for (const domain of ['alpha.test', 'beta.test']) await directory.addDomain(domain)
  return {
    directory,
    addAccount: (name, key) =>
      directory.addAccount(
        { id: name, address: address(`${name}@alpha.test`), state: 'active', created: MADE, quota: null },
        key && stored(key),
      ),
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
