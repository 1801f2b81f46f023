/**
 * Signatures that could not be checked when their message was unsealed are checked again at later logins. What is shown of the
 * message stays; what is kept of its protection changes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decodeProtection, encodeProtection, type Protection } from '#formats/pgp-mime/protection.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { IndexRecords } from './index-records.ts'
import type { ContentId, IndexedAccountMail } from './indexed-mail-store.ts'
import { MessageUnreadable } from './mail-store.ts'
import type { OwnKeys, PatientAid } from './sealed-mail-store-aid.ts'
import { decodeSigned } from './sealed-mail-store-kept.ts'
import { unsealContent } from './sealed-mail-store-opener.ts'
import { entryIn, pageOf } from './sealed-mail-store-pages.ts'
import { type SignedLayer, Verdicts } from './sealed-mail-store-verdicts.ts'
import { decodeEntry, encodeEntry, type SummaryEntry } from './summary-entry.ts'

interface Means {
  readonly inner: IndexedAccountMail
  readonly records: () => Promise<IndexRecords>
  readonly aid: PatientAid
  readonly own: OwnKeys
}

const BATCH = 16
/** In one session, the newest ones. */
const MOST = 1000
/** Larger ones take the batch to themselves. */
const OCTETS_AT_ONCE = 4 << 20
const TRIED_FOR_MS = 30 * 24 * 60 * 60_000

/** Stops early when `isOver` says so. */
export async function recheckSignatures(means: Means, isOver: () => boolean): Promise<void> {
  const { contents } = means.inner
  let before: ContentId | null = null
  for (let done = 0; done < MOST && !isOver(); ) {
    const found: readonly ContentId[] = await contents.unchecked(before, BATCH)
    if (found.length === 0) return
    let octets = 0
    const batch: Unchecked[] = []
    for (const content of found) {
      if (octets > OCTETS_AT_ONCE) break
      before = content
      done++
      const one = await uncheckedOf(means, content)
      if (one) batch.push(one)
      octets += one?.layer.signed.byteLength ?? 0
    }
    const verdicts = await Verdicts.about(
      means.aid,
      means.own,
      batch.map(({ layer }) => layer),
    )
    for (const one of batch) {
      await recheck(means, one, verdicts)
      await nextTurn()
    }
  }
}

interface Unchecked {
  readonly content: ContentId
  readonly entry: SummaryEntry
  readonly protection: Protection
  readonly layer: SignedLayer
}

/** null: it is not to be checked any more, or not now. */
async function uncheckedOf({ inner, records, aid }: Means, content: ContentId): Promise<Unchecked | null> {
  const example = await inner.contents.example(content)
  const encoded = example && (await entryIn(inner, await records(), example))
  const entry = encoded && decodeEntry(encoded)
  if (!entry || example?.content !== content) return null
  const protection = entry.protection && decodeProtection(entry.protection)
  const isDue = protection?.signature.kind === 'unchecked' && protection.at + TRIED_FOR_MS > aid.now()
  const view = isDue && entry.kept && (await viewOf(inner, content, entry))
  const signed = view && decodeSigned(entry.kept!, view)
  if (view) wipe(view)
  if (signed) {
    const layer = { ...signed, author: protection!.author, encrypted: protection!.encryption === 'opened' }
    return { content, entry, protection: protection!, layer }
  }
  if (view !== null) await settle({ inner, records }, content, encoded)
  wipe(encoded)
  return null
}

/** null: it cannot be read, or not now. */
async function viewOf(inner: IndexedAccountMail, content: ContentId, entry: SummaryEntry): Promise<Bytes | null> {
  try {
    const sealed = await inner.contents.read(content)
    return sealed && unsealContent(sealed, entry.sessionKey)
  } catch (error) {
    if (error instanceof MessageUnreadable) return null
    throw error
  }
}

async function recheck(means: Means, { content, entry, protection, layer }: Unchecked, verdicts: Verdicts) {
  const signature = verdicts.judge(layer)
  if (signature.kind !== 'unchecked') {
    const checked = encodeProtection({ ...protection, signature, at: means.aid.now() })
    const again = encodeEntry({ sessionKey: entry.sessionKey, summary: entry.summary, protection: checked })
    await settle(means, content, again)
    wipe(again)
  }
  wipe(layer.signed)
  wipe(entry.sessionKey)
}

async function settle({ inner, records }: Pick<Means, 'inner' | 'records'>, content: ContentId, entry: Bytes) {
  const now = await records()
  await inner.contents.describe(content, { page: (id) => pageOf(now, id, { content, entry }), unsealing: 1 })
}
