/** What one client, one address and all clients together may cost. Times in milliseconds, sizes in octets. */
export interface ImapLimits {
  readonly connections: number
  readonly connectionsPerAddress: number
  /** Connections of all addresses that have not logged in. */
  readonly connectionsBeforeLogin: number
  readonly connectionsPerAccount: number
  /** From the greeting to a successful login. */
  readonly loginTime: number
  readonly loginAttempts: number
  /** Refused or unintelligible commands before login; afterwards ten times as many in a row. */
  readonly badCommands: number
  /** At least 30 minutes (RFC 3501 §5.4). */
  readonly autologout: number
  /** A command once begun must go on within this time, and so must a client that reads. */
  readonly stall: number
  /** Slowest pace for a command that has begun, in octets per second; short commands get `stall`. */
  readonly pace: number
  /** The largest message that APPEND takes. */
  readonly messageSize: number
  /** Octets of messages being received by APPEND over all connections. */
  readonly appendMemory: number
  /** And over those of one account. */
  readonly appendMemoryPerAccount: number
  /** Octets of large messages on their way to the clients of one account. */
  readonly fetchMemoryPerAccount: number
  /** Octets of contents kept for clients that read messages piece by piece, over all connections. */
  readonly keptContents: number
}

export const defaultImapLimits: ImapLimits = {
  connections: 10_000,
  connectionsPerAddress: 200,
  connectionsBeforeLogin: 1000,
  connectionsPerAccount: 100,
  loginTime: 120_000,
  loginAttempts: 5,
  badCommands: 5,
  autologout: 31 * 60_000,
  stall: 120_000,
  pace: 1024,
  messageSize: 50 * 1024 * 1024,
  appendMemory: 512 * 1024 * 1024,
  appendMemoryPerAccount: 200 * 1024 * 1024,
  fetchMemoryPerAccount: 200 * 1024 * 1024,
  keptContents: 128 * 1024 * 1024,
}
