/** For tests: an account whose key is changed now and then, as a rotation does, with a new index key each time. */
import { createHash } from 'node:crypto'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Sealing } from './mail-store.ts'
import type { CountedKeys } from './sealed-keys.contract.ts'

type Keys = Awaited<ReturnType<typeof generateKeys>>

export const newKeys = (algorithm: 'curve25519' | 'v6-curve25519' = 'curve25519'): Promise<Keys> | Keys =>
  generateKeys({ userId: '<owner@a.test>', algorithm, created: new Date(1_700_000_000_000) })

const indexKeyOf = (keys: Keys): Bytes => createHash('sha256').update(keys.certificate).digest()

export class ChangingKeys {
  /** Newest first. */
  readonly #generations: Keys[] = []
  device: Bytes | null = null

  async change(algorithm?: 'curve25519' | 'v6-curve25519'): Promise<void> {
    this.#generations.unshift(await newKeys(algorithm))
  }

  get fingerprint(): string {
    return parseCertificate(this.#generations[0]!.certificate).fingerprint
  }

  readonly sealing = async (): Promise<Sealing> => ({
    certificate: this.#generations[0]?.certificate ?? null,
    device: this.device,
  })

  /** Keys of the newest `generations`. Every index key that was handed out is in `indexKeys`. */
  reading(generations: number = this.#generations.length): CountedKeys & { readonly indexKeys: readonly Bytes[] } {
    const known = this.#generations.slice(0, generations)
    const secrets = known.map(({ secret }) => openSecretKeys(secret))
    const indexKeys: Bytes[] = []
    const handOut = (keys: Keys) => {
      const key = indexKeyOf(keys)
      indexKeys.push(key)
      return key
    }
    let operations = 0
    return {
      indexKeys,
      get operations() {
        return operations
      },
      async sessionKeys(pkesks) {
        operations += pkesks.length
        return pkesks.map((pkesk) => {
          for (const secret of secrets) {
            const found = sessionKeyOf(secret, pkesk)
            if (found) return encodeSessionKey(found)
          }
          return null
        })
      },
      indexKey: async () => handOut(known[0]!),
      olderIndexKeys: async () => known.slice(1).map(handOut),
    }
  }
}
