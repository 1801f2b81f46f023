import { defaultLineLimits, type LineLimits } from '#servers/line/limits.ts'

/** What one client and all clients together may cost besides. Sizes in octets. */
export interface ImapLimits extends LineLimits {
  /** Slowest pace for a command that has begun, in octets per second; short commands get `stall`. */
  readonly pace: number
  /** The largest message that APPEND takes. */
  readonly messageSize: number
  /** Octets of messages being received by APPEND over all connections of all servers at a desk, as those below. */
  readonly appendMemory: number
  /** And over those of one account. */
  readonly appendMemoryPerAccount: number
  /** Octets of large messages on their way to clients. */
  readonly fetchMemory: number
  /** And to those of one account. */
  readonly fetchMemoryPerAccount: number
  /** Octets of contents kept for clients that read messages piece by piece, over all connections. */
  readonly keptContents: number
}

export const defaultImapLimits: ImapLimits = {
  ...defaultLineLimits,
  // At least 30 minutes (RFC 3501 §5.4).
  autologout: 31 * 60_000,
  pace: 1024,
  messageSize: 50 * 1024 * 1024,
  appendMemory: 512 * 1024 * 1024,
  appendMemoryPerAccount: 200 * 1024 * 1024,
  fetchMemory: 512 * 1024 * 1024,
  fetchMemoryPerAccount: 128 * 1024 * 1024,
  keptContents: 128 * 1024 * 1024,
}
