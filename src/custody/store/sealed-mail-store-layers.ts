/** Opens what senders sealed or signed, many messages together: their session keys are asked for in one call. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { readPkesk } from '#formats/openpgp/pkesk.ts'
import { decodeSessionKey } from '#formats/openpgp/session-key.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { type Authors, authorsOf, openUnwrapped, signedIn } from '#formats/pgp-mime/opened.ts'
import { type Payload, readPayload } from '#formats/pgp-mime/payload.ts'
import { unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { OwnKeys } from './sealed-mail-store-aid.ts'
import type { Signed } from './sealed-mail-store-kept.ts'
import { isDamage, type Opener, type Unopened } from './sealed-mail-store-opener.ts'

export interface Received {
  readonly kind: 'encrypted' | 'signed'
  readonly octets: Bytes
}

export interface OpenLayer extends Signed {
  readonly kind: 'open'
  /** What was encrypted; null: it was only signed. */
  readonly payload: Bytes | null
  /** What that is, in octets of its own where they differ. */
  readonly read: Payload | null
  readonly authors: Authors
}

export type Layer =
  | OpenLayer
  | { readonly kind: 'closed'; readonly recipients: readonly (string | null)[] }
  | { readonly kind: 'damaged' }
  /** It has the structure and nothing in it. */
  | { readonly kind: 'unprotected' }
  /** Not its fault but ours. */
  | { readonly kind: 'failed'; readonly error: unknown }

export async function openLayers(
  all: readonly Received[],
  opener: Opener,
  own: OwnKeys | null,
): Promise<readonly Layer[]> {
  const addressed: (Addressed | null)[] = []
  for (const { kind, octets } of all) {
    addressed.push(kind === 'encrypted' ? addressedIn(octets) : null)
    await nextTurn()
  }
  const keys = await opener.sessionKeys(addressed.map((one) => (one ? asked(one, own) : [])))
  const layers: Layer[] = []
  for (const [index, received] of all.entries()) {
    const key = keys[index]!
    try {
      layers.push(received.kind === 'signed' ? signedLayer(received.octets) : opened(received, addressed[index]!, key))
    } catch (error) {
      layers.push(isDamage(error) ? { kind: 'damaged' } : { kind: 'failed', error })
    } finally {
      if (key instanceof Uint8Array) wipe(key)
    }
    await nextTurn()
  }
  return layers
}

interface Addressed {
  readonly sealed: Bytes
  readonly pkesks: readonly Bytes[]
  /** Whom each is for; null: it does not say. */
  readonly recipients: readonly (string | null)[]
}

/** null: no encrypted message that may be opened. */
function addressedIn(received: Bytes): Addressed | null {
  const sealed = unwrapEncrypted(received)
  if (!sealed) return null
  const { pkesks } = splitMessage(sealed)
  return { sealed, pkesks, recipients: pkesks.map(recipientOf) }
}

/** A PKESK that cannot be read is nobody's. */
function recipientOf(pkesk: Bytes): string | null {
  try {
    return readPkesk(pkesk)?.recipient ?? null
  } catch (error) {
    if (!isDamage(error)) throw error
    return ''
  }
}

/** Each of those that name nobody is tried with every key; and nobody seals to one of ours more often than once. */
const MOST_ANONYMOUS = 32
const MOST_OWN = 32

function asked({ pkesks, recipients }: Addressed, own: OwnKeys | null): readonly Bytes[] {
  let anonymous = 0
  let named = 0
  return pkesks.filter((_, index) => {
    const recipient = recipients[index]!
    if (recipient === null) return ++anonymous <= MOST_ANONYMOUS
    return recipient !== '' && (own === null || own.keys.includes(recipient)) && ++named <= MOST_OWN
  })
}

function opened({ octets }: Received, addressed: Addressed | null, key: Bytes | Unopened): Layer {
  if (!addressed || key === 'damaged') return { kind: 'damaged' }
  if (typeof key === 'string') return { kind: 'closed', recipients: [...new Set(addressed.recipients)] }
  const layer = openUnwrapped(addressed.sealed, decodeSessionKey(key))
  const read = readPayload(layer.payload)
  return { kind: 'open', ...layer, read, authors: authorsOf(octets, layer.payload, read) }
}

function signedLayer(octets: Bytes): Layer {
  const inside = signedIn(octets)
  if (!inside) return { kind: 'unprotected' }
  return { kind: 'open', payload: null, read: null, ...inside, authors: authorsOf(octets, null) }
}
