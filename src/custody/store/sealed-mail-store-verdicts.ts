/** Whose signatures stand around messages: asks for the authors' certificates, each author once, and judges. */
import { issuersOf, judgeSignatures } from '#formats/pgp-mime/judge.ts'
import type { SignatureVerdict } from '#formats/pgp-mime/protection.ts'
import type { OwnKeys, PatientAid } from './sealed-mail-store-aid.ts'
import type { Signed } from './sealed-mail-store-kept.ts'
import type { Signers } from './unsealing-aid.ts'

export interface SignedLayer extends Signed {
  readonly author: string | null
  readonly encrypted: boolean
}

const NOBODY: Signers = { certificates: [], trouble: null }

export class Verdicts {
  readonly #aid: PatientAid | null
  readonly #own: OwnKeys | null
  readonly #signers: ReadonlyMap<string, Signers>

  private constructor(aid: PatientAid | null, own: OwnKeys | null, signers: ReadonlyMap<string, Signers>) {
    this.#aid = aid
    this.#own = own
    this.#signers = signers
  }

  /** Without `own` nobody is asked: whom a signature was made for could not be judged. */
  static async about(aid: PatientAid | null, own: OwnKeys | null, layers: readonly SignedLayer[]): Promise<Verdicts> {
    const issuers = new Map<string, Set<string>>()
    if (aid && own)
      for (const { author, signatures } of layers) {
        if (author === null || signatures.length === 0) continue
        const of = issuers.get(author) ?? new Set()
        for (const issuer of issuersOf(signatures)) of.add(issuer)
        issuers.set(author, of)
      }
    const asked = [...issuers].map(async ([author, of]) => [author, await aid!.signers(author, [...of])] as const)
    return new Verdicts(aid, own, new Map(await Promise.all(asked)))
  }

  judge({ author, encrypted, ...layer }: SignedLayer): SignatureVerdict {
    if (layer.signatures.length === 0) return { kind: 'none' }
    if (!this.#aid || !this.#own) return { kind: 'unchecked', why: 'nobody could be asked whose keys these are' }
    const signers = (author !== null && this.#signers.get(author)) || NOBODY
    const own = this.#own.certificates
    return judgeSignatures(layer, { author, signers, own, encrypted, now: this.#aid.now() })
  }
}
