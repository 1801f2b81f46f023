/**
 * Re-sealing: contents that are sealed to another certificate are opened, sealed to the current one under a session key of
 * their own, and put in their place together with a new page of the index, one content at a time in one transaction each. Interrupted
 * anywhere, every content is the old one or the new one, whole. A content that no key opens is marked, and stays as it is.
 */
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { IndexRecords } from './index-records.ts'
import type { ContentId, ContentTally, IndexedAccountMail, PageId, StoredContent } from './indexed-mail-store.ts'
import { type Coverage, MessageUnreadable, type ResealingState } from './mail-store.ts'
import { type Opener, recipientsOf, unsealContent } from './sealed-mail-store-opener.ts'
import { entryIn, pageOf } from './sealed-mail-store-pages.ts'
import type { Sealer } from './sealed-mail-store-sealer.ts'
import { decodeEntry } from './summary-entry.ts'

/** `current`: fingerprint of the certificate, null when there is none. */
export function coverageOf(tally: readonly ContentTally[], current: string | null, state: ResealingState): Coverage {
  const sum = (which: (one: ContentTally) => boolean) =>
    tally.filter(which).reduce((contents, one) => contents + one.contents, 0)
  const isCurrent = (one: ContentTally) => current !== null && one.sealedTo === current
  return {
    contents: sum(() => true),
    current: sum(isCurrent),
    waiting: sum((one) => !isCurrent(one) && !one.unreadable),
    unreadable: sum((one) => !isCurrent(one) && one.unreadable),
    state,
  }
}

interface Means {
  readonly account: AccountId
  readonly inner: IndexedAccountMail
  readonly opener: Opener
  readonly records: IndexRecords
  readonly sealer: Sealer
  readonly logger: Logger
}

/** Contents that share the wait for the disk, as long as they are small. */
const AT_ONCE = 8
const OCTETS_AT_ONCE = 1024 * 1024

/** Stands for the key of what is no OpenPGP message any more. */
const NO_KEY = 'none'

export class Resealer {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  /** Stops early when `isOver` says so. */
  async run(limit: number, isOver: () => boolean): Promise<void> {
    const { inner, sealer } = this.#means
    const { contents } = inner
    let left = limit
    const waiting = (await contents.tally()).filter((one) => !one.unreadable && one.sealedTo !== sealer.certificate)
    for (const { sealedTo } of waiting)
      while (left > 0 && !isOver()) {
        const found = await contents.sealedTo(sealedTo, Math.min(left, AT_ONCE))
        if (found.length === 0) break
        const batch = small(found)
        const done = await Promise.allSettled(batch.map(({ id }) => this.#one(id, sealedTo)))
        for (const one of done) if (one.status === 'rejected') throw one.reason
        left -= batch.length
      }
  }

  async #one(id: ContentId, sealedTo: string | null): Promise<void> {
    const { inner, sealer } = this.#means
    const { contents } = inner
    try {
      const sealed = await contents.read(id)
      if (!sealed) return
      const recipients = recipientsOf(sealed)
      if (recipients.some((one) => sealer.isFor(one)) && sealedTo === null)
        await contents.mark(id, { sealedTo: sealer.certificate, unreadable: false })
      else if (!(await this.#reseal(id, sealed)))
        await contents.mark(id, { sealedTo: sealedTo ?? recipients[0] ?? NO_KEY, unreadable: true })
    } catch (error) {
      if (!(error instanceof MessageUnreadable)) throw error
      const { account, logger } = this.#means
      logger.warn({ account, content: id, error }, 'a content could not be re-sealed')
      await contents.mark(id, { sealedTo: sealedTo ?? NO_KEY, unreadable: true })
    }
  }

  /** false: no key opens it. Throws MessageUnreadable when it is damaged. */
  async #reseal(id: ContentId, sealed: Bytes): Promise<boolean> {
    const { inner, sealer, records } = this.#means
    const entry = await this.#entry(id, sealed)
    if (entry === 'gone') return true
    if (entry === 'lost') return false
    try {
      const { sessionKey, ...beside } = decodeEntry(entry)!
      const content = unsealContent(sealed, sessionKey)
      const again = sealer.reseal(content, beside)
      wipe(content)
      const page = (number: PageId, made: ContentId) => pageOf(records, number, { content: made, entry: again.entry })
      await inner.contents
        .replace(id, { octets: again.octets, sealedTo: sealer.certificate, page })
        .finally(() => wipe(again.entry))
      return true
    } finally {
      wipe(entry)
    }
  }

  /** From the index, where that costs no public-key operation; else from the summary, else from the content. */
  async #entry(id: ContentId, sealed: Bytes): Promise<Bytes | 'gone' | 'lost'> {
    const { inner, opener, records } = this.#means
    const example = await inner.contents.example(id)
    if (example?.content !== id) return 'gone'
    const known = await entryIn(inner, records, example)
    if (known && decodeEntry(known)) return known
    const [entry] = example.summary ? await opener.entries([example.summary]) : []
    if (entry instanceof Uint8Array) return entry
    const rebuilt = await opener.rebuild(sealed)
    if (rebuilt === 'damaged') throw new MessageUnreadable('the stored message is damaged: restore it from a backup')
    return rebuilt
  }
}

/** The first ones that are small together; always at least one. */
function small(found: readonly StoredContent[]): readonly StoredContent[] {
  let octets = 0
  const count = found.findIndex(({ size }, index) => {
    octets += size
    return index > 0 && octets > OCTETS_AT_ONCE
  })
  return count === -1 ? found : found.slice(0, count)
}
