/** What one client, one address and all clients together may cost. Times in milliseconds. */
export interface Pop3Limits {
  readonly connections: number
  readonly connectionsPerAddress: number
  /** Connections of all addresses that have not logged in. */
  readonly connectionsBeforeLogin: number
  /** Of those that log in at the same time: only one of them gets the mail. */
  readonly connectionsPerAccount: number
  /** From the greeting to a successful login. */
  readonly loginTime: number
  readonly loginAttempts: number
  /** Unintelligible commands before login; afterwards ten times as many in a row. */
  readonly badCommands: number
  /** Between commands; at least ten minutes (RFC 1939 §3). */
  readonly autologout: number
  /** A client that is sent something must take some of it within this time. */
  readonly stall: number
}

export const defaultPop3Limits: Pop3Limits = {
  connections: 10_000,
  connectionsPerAddress: 200,
  connectionsBeforeLogin: 1000,
  connectionsPerAccount: 100,
  loginTime: 120_000,
  loginAttempts: 5,
  badCommands: 5,
  autologout: 10 * 60_000,
  stall: 120_000,
}
