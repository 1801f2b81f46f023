/**
 * What is known of a message without opening it again: enough for every IMAP list, for threading and for finding a part.
 * Made once from the clear octets at delivery, stored only sealed.
 */
import type { Bytes } from '#lib/bytes.ts'
import type { MimePart } from './mime-index.ts'

export interface MessageSummary {
  /** Octets of the whole message (RFC822.SIZE). */
  readonly size: number
  readonly root: MimePart
  /** Raw References field, for threading. */
  readonly references: string | null
  /** The exact octets of the root header (empty line included) when no longer than HEADER_KEPT, else null. */
  readonly header: Bytes | null
}

export const HEADER_KEPT = 16_384
