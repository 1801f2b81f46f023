/** Makes what takes the place of a message that its sender sealed or signed: the view, sealed at rest, with its entry. */
import { editHeader, fieldValues, scanHeader } from '#formats/message/header.ts'
import { messageIdsIn } from '#formats/message/message-ids.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { resultsField } from '#formats/pgp-mime/judge.ts'
import { type Authors, openedView, trustsInnerFrom } from '#formats/pgp-mime/opened.ts'
import { encodeProtection, type Protection, type SignatureVerdict } from '#formats/pgp-mime/protection.ts'
import type { ViewWish } from '#formats/pgp-mime/view.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { UnsealingState } from './indexed-mail-store.ts'
import { encodeSigned } from './sealed-mail-store-kept.ts'
import type { OpenLayer } from './sealed-mail-store-layers.ts'
import type { Sealer } from './sealed-mail-store-sealer.ts'

export interface Replacement {
  readonly kind: 'replacement'
  /** What readers see. */
  readonly view: Buffer
  /** The same, sealed. */
  readonly octets: Buffer
  /** Encoded; the caller's to wipe. */
  readonly entry: Buffer
  readonly unsealing: UnsealingState
  /** Nobody could scan it when it arrived. */
  readonly wasEncrypted: boolean
  /** By which its readers know it, and whoever got it and cannot look inside. */
  readonly messageIds: readonly string[]
}

interface Found {
  readonly signature: SignatureVerdict
  /** null: nobody knows it. */
  readonly authservId: string | null
  readonly at: number
}

export function replacementOf(received: Bytes, layer: OpenLayer, found: Found, sealer: Sealer): Replacement {
  const { payload, read, authors } = layer
  const { signature, at } = found
  const protection: Protection = { encryption: payload ? 'opened' : 'none', signature, author: authors.author, at }
  // RFC 9788 §4.4: an author inside who is not shown now is not shown later either, so nothing is kept for a later look.
  const trusts = trustsInnerFrom(authors, signature)
  const view = viewOf({ received, payload, read }, { protection, authservId: found.authservId, authors, trusts })
  const kept =
    signature.kind === 'unchecked' && trusts ? encodeSigned(layer, view, behindSigned(received, layer)) : null
  const summarized = summarize(view)
  const summary = encodeSummary(summarized)
  const messageIds = [summarized.root.envelope?.messageId ?? '', outerId(received)].flatMap(messageIdsIn)
  const sealed = sealer.reseal(view, { summary, protection: encodeProtection(protection), kept })
  const unsealing = kept ? 2 : 1
  return {
    kind: 'replacement',
    ...sealed,
    view,
    unsealing,
    wasEncrypted: payload !== null,
    messageIds: [...new Set(messageIds)],
  }
}

const outerId = (received: Bytes): string => fieldValues(received, scanHeader(received), 'message-id')[0] ?? ''

interface Shown {
  readonly protection: Protection
  readonly authservId: string | null
  readonly authors: Authors
  readonly trusts: boolean
}

function viewOf(message: Pick<ViewWish, 'received' | 'payload' | 'read'>, shown: Shown): Buffer {
  const { protection, authservId, authors, trusts } = shown
  const wish = { ...message, trustsInnerFrom: trusts }
  if (authservId !== null) {
    const results = resultsField(authservId, protection, trusts ? authors.author : authors.outer)
    return openedView({ ...wish, authservId, results })
  }
  // Which results are forged is not known, so there are none.
  const view = openedView({ ...wish, authservId: '', results: '' })
  return editHeader(view, scanHeader(view), '', ({ name }) => name === 'authentication-results')
}

/** How many octets follow those that were signed, in the message and so in its view. */
function behindSigned(received: Bytes, { payload, signed }: OpenLayer): number {
  const around = payload ?? received
  if (signed.buffer !== around.buffer) return 0
  return around.byteOffset + around.byteLength - signed.byteOffset - signed.byteLength
}
