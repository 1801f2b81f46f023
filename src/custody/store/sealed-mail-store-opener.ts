import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { IntegrityError, MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { readPkesk } from '#formats/openpgp/pkesk.ts'
import { decodeSessionKey } from '#formats/openpgp/session-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { MessageUnreadable, type ReadingKeys } from './mail-store.ts'
import { decodeEntry, encodeEntry } from './summary-entry.ts'

/** Why a message cannot be opened; the same for summaries and contents. */
export type Unopened =
  /** Sealed to a key that these keys do not have. */
  | 'lost'
  /** Not an OpenPGP message any more, or changed. */
  | 'damaged'

export function isDamage(error: unknown): boolean {
  return error instanceof MalformedOpenPgp || error instanceof IntegrityError
}

/** The octets that a session key opens. Throws MessageUnreadable. */
export function unsealContent(sealed: Bytes, sessionKey: Bytes): Bytes {
  const content = unsealed(sealed, sessionKey)
  if (!content) throw new MessageUnreadable('the stored message is damaged: restore it from a backup')
  return content
}

function unsealed(sealed: Bytes, sessionKey: Bytes): Bytes | null {
  try {
    return unseal(sealed, decodeSessionKey(sessionKey))
  } catch (error) {
    if (!isDamage(error)) throw error
    return null
  }
}

/** Key ids or fingerprints, as far as they are named, of those for whom a sealed message is; none for what is damaged. */
export function recipientsOf(sealed: Bytes): readonly string[] {
  try {
    return (pkesksOf(sealed) ?? []).flatMap((pkesk) => readPkesk(pkesk)?.recipient ?? [])
  } catch (error) {
    if (!isDamage(error)) throw error
    return []
  }
}

function pkesksOf(sealed: Bytes): readonly Bytes[] | null {
  try {
    return splitMessage(sealed).pkesks
  } catch (error) {
    if (!isDamage(error)) throw error
    return null
  }
}

/** Opens sealed messages with an account's keys. */
export class Opener {
  readonly #keys: ReadingKeys

  constructor(keys: ReadingKeys) {
    this.#keys = keys
  }

  /** Encoded entries, in the order of the sealed summaries. Theirs is the caller's to wipe. */
  async entries(summaries: readonly Bytes[]): Promise<readonly (Bytes | Unopened)[]> {
    const sessionKeys = await this.#sessionKeys(summaries)
    return summaries.map((summary, index) => {
      const sessionKey = sessionKeys[index]!
      if (typeof sessionKey === 'string') return sessionKey
      const plain = unsealed(summary, sessionKey)
      wipe(sessionKey)
      return plain && decodeEntry(plain) ? plain : 'damaged'
    })
  }

  /** The entry of a message whose summary is gone, made again from its sealed content. */
  async rebuild(content: Bytes): Promise<Bytes | Unopened> {
    const sessionKey = (await this.#sessionKeys([content]))[0]!
    if (typeof sessionKey === 'string') return sessionKey
    const plain = unsealed(content, sessionKey)
    const entry = plain ? encodeEntry({ sessionKey, summary: encodeSummary(summarize(plain)) }) : 'damaged'
    wipe(sessionKey)
    return entry
  }

  #sessionKeys(messages: readonly Bytes[]): Promise<readonly (Bytes | Unopened)[]> {
    return this.sessionKeys(messages.map(pkesksOf))
  }

  /**
   * For each message, given as its PKESKs (null: damaged), the session key, which is the caller's to wipe. All PKESKs in one call;
   * one that is for us and broken makes the call fail, so then each is asked alone.
   */
  async sessionKeys(pkesks: readonly (readonly Bytes[] | null)[]): Promise<readonly (Bytes | Unopened)[]> {
    const asked = pkesks.flatMap((of) => of ?? [])
    if (asked.length === 0) return pkesks.map((of) => (of ? 'lost' : 'damaged'))
    const answers = await this.#keys.sessionKeys(asked).catch((error) => this.#oneByOne(asked, error))
    let next = 0
    return pkesks.map((of) => {
      if (!of) return 'damaged'
      const found = answers.slice(next, next + of.length)
      next += of.length
      return found.find((one) => one instanceof Uint8Array) ?? (found.includes('damaged') ? 'damaged' : 'lost')
    })
  }

  /** When the vault is gone, or the handle has ended, no message is to blame. */
  async #oneByOne(pkesks: readonly Bytes[], error: unknown): Promise<readonly (Bytes | Unopened | null)[]> {
    const indexKey = await this.#keys.indexKey().catch(() => {
      throw error
    })
    wipe(indexKey)
    const answers: (Bytes | Unopened | null)[] = []
    for (const pkesk of pkesks)
      answers.push(
        await this.#keys.sessionKeys([pkesk]).then(
          ([one]) => one ?? null,
          () => 'damaged' as const,
        ),
      )
    return answers
  }
}
