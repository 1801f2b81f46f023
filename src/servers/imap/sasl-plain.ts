/** SASL PLAIN (RFC 4616) on octets: the password never becomes a string, which could not be wiped. */
import { wipe } from '#lib/bytes.ts'
import { bad } from './imap-error.ts'

export interface PlainCredential {
  /** Whom to act as; empty for oneself. */
  readonly authorization: string
  readonly user: string
  /** A copy; its owner wipes it. */
  readonly password: Buffer
}

/** `authzid NUL authcid NUL passwd`, wiped afterwards. Throws BAD when it is none. */
export function parsePlain(message: Buffer): PlainCredential {
  const first = message.indexOf(0)
  const second = message.indexOf(0, first + 1)
  try {
    if (first < 0 || second < 0 || message.indexOf(0, second + 1) >= 0) throw bad('Not a PLAIN credential')
    return {
      authorization: message.toString('utf8', 0, first),
      user: message.toString('utf8', first + 1, second),
      password: Buffer.from(message.subarray(second + 1)),
    }
  } finally {
    wipe(message)
  }
}
