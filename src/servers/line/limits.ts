import type { ConnectionLimits } from './admission.ts'

/** What one client may cost on a line where people log in. Times in milliseconds. */
export interface LineLimits extends ConnectionLimits {
  /** From the greeting to a successful login. */
  readonly loginTime: number
  readonly loginAttempts: number
  /** Refused or unintelligible commands before login; afterwards ten times as many in a row. */
  readonly badCommands: number
  /** Between commands. */
  readonly autologout: number
  /** A client that is sent something must take some of it within this time, and go on with a command once begun. */
  readonly stall: number
}

export const defaultLineLimits: Omit<LineLimits, 'autologout'> = {
  connections: 10_000,
  connectionsPerAddress: 200,
  connectionsBeforeLogin: 1000,
  connectionsPerAccount: 100,
  loginTime: 120_000,
  loginAttempts: 5,
  badCommands: 5,
  stall: 120_000,
}
