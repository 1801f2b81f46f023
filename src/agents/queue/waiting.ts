/** What mail waits with when the certificate of its recipient cannot be known yet: in `QueuedMail.waiting`, and nowhere in clear. */
import type { AccountId } from '#custody/accounts/directory.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { WITHOUT_KEY, type WithoutKey } from '#privacy/e2e/e2e.ts'

export interface WaitingSeal {
  /** Of the message, which waits sealed to nobody: the cipher octet, then the key. The caller's to wipe. */
  readonly sessionKey: Bytes
  /** What becomes of it when there is no certificate: the author's policy of the time when it was sent. */
  readonly withoutKey: WithoutKey
  /** The message itself demanded to be sealed: a certificate of the Web Key Directory is enough. */
  readonly isDemanded: boolean
  /** The author, who is told what became of it. */
  readonly account: AccountId
}

export class MalformedWaiting extends Error {
  override readonly name = 'MalformedWaiting'
}

const VERSION = 1
const FIELDS = 'account isDemanded sessionKey version withoutKey'
/** Longer than any session key. */
const KEY_LIMIT = 64

export function encodeWaiting({ sessionKey, withoutKey, isDemanded, account }: WaitingSeal): Buffer {
  return Buffer.from(
    JSON.stringify({
      version: VERSION,
      sessionKey: asBuffer(sessionKey).toString('base64'),
      withoutKey,
      isDemanded,
      account,
    }),
  )
}

/** The inverse of encodeWaiting. Throws MalformedWaiting, which says nothing of the octets. */
export function decodeWaiting(octets: Bytes): WaitingSeal {
  const fields = fieldsOf(octets)
  const { version, sessionKey: text, withoutKey, isDemanded, account } = fields
  const policy = WITHOUT_KEY.find((one) => one === withoutKey)
  const isKnown = Object.keys(fields).sort().join(' ') === FIELDS && version === VERSION
  if (!isKnown || typeof text !== 'string' || !policy || typeof isDemanded !== 'boolean' || typeof account !== 'string')
    throw new MalformedWaiting('what a message waits with is not what this version writes')
  const sessionKey = Buffer.from(text, 'base64')
  if (sessionKey.length === 0 || sessionKey.length > KEY_LIMIT || sessionKey.toString('base64') !== text)
    throw new MalformedWaiting('a message waits with a session key that is none')
  return { sessionKey, withoutKey: policy, isDemanded, account }
}

function fieldsOf(octets: Bytes): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(asBuffer(octets).toString())
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  } catch {
    // Its text could be part of the secret.
  }
  throw new MalformedWaiting('what a message waits with is not an object')
}
