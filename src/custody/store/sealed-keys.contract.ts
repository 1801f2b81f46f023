/** For tests: a certificate and secret key for any account, and how a session with them reads. */
import { createHash } from 'node:crypto'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { ReadingKeys, Sealing } from './mail-store.ts'

const made = new Map<AccountId, ReturnType<typeof generateKeys>>()

async function keysOf(account: AccountId) {
  let keys = made.get(account)
  if (!keys) {
    keys = generateKeys({
      userId: `<${account}@a.test>`,
      algorithm: 'curve25519',
      created: new Date(1_700_000_000_000),
    })
    made.set(account, keys)
  }
  return keys
}

export async function sealingOf(account: AccountId): Promise<Sealing> {
  return { certificate: (await keysOf(account)).certificate, device: null }
}

export interface CountedKeys extends ReadingKeys {
  /** Public-key operations so far. */
  readonly operations: number
}

export function readingKeys(account: AccountId): CountedKeys {
  let operations = 0
  return {
    get operations() {
      return operations
    },
    async sessionKeys(pkesks) {
      const keys = openSecretKeys((await keysOf(account)).secret)
      return pkesks.map((pkesk) => {
        operations++
        const found = sessionKeyOf(keys, pkesk)
        return found && encodeSessionKey(found)
      })
    },
    async indexKey() {
      return createHash('sha256').update(`index key of ${account}`).digest()
    },
  }
}
