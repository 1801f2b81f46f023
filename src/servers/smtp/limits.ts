/** What one server grants; everything is capped, and every cap has a reply of its own. */
export interface SmtpLimits {
  /** Octets of one message (RFC 1870), announced as SIZE. */
  readonly messageSize: number
  /** Recipients of one message; RFC 5321 §4.5.3.1.8 asks for 100 at least. Announced as RCPTMAX (RFC 9422). */
  readonly recipients: number
  /** Octets of messages held in memory, over all connections of this server. */
  readonly memory: number
  readonly connections: number
  /** From one IPv4 address or one IPv6 /64. */
  readonly connectionsPerAddress: number
  /** Submission: connections that have not logged in yet. */
  readonly connectionsBeforeLogin: number
  /** Refused commands (5xx) on one connection before it is closed. */
  readonly errors: number
  /** Refused recipients on one connection before it is closed: a harvester of addresses. */
  readonly refusedRecipients: number
  /** Commands that move no mail (NOOP, RSET, VRFY, HELP, EHLO) between two messages. */
  readonly idleCommands: number
  /** Failed logins on one connection before it is closed. */
  readonly failedLogins: number
  /** Failed logins from one address within `failedLoginWindowMs`; beyond it nobody from there is let in. */
  readonly failedLoginsPerAddress: number
  readonly failedLoginWindowMs: number
  /** How long a failed login waits for its reply. */
  readonly failedLoginDelayMs: number
  /** For one command to arrive whole; RFC 5321 §4.5.3.2.7 asks for five minutes. */
  readonly commandMs: number
  /** Submission: from the connection to the login; some clients connect first and then ask for the password. */
  readonly loginMs: number
  readonly handshakeMs: number
  /** Message octets may come this late, and no slower than `minimumRate` octets a second over all. */
  readonly dataMs: number
  readonly minimumRate: number
  /** mx: how long a client must wait for the greeting; one that talks before it is refused. 0 is off. */
  readonly greetingDelayMs: number
}

export const defaultLimits: SmtpLimits = {
  messageSize: 52_428_800,
  recipients: 1000,
  memory: 268_435_456,
  connections: 1000,
  connectionsPerAddress: 50,
  connectionsBeforeLogin: 200,
  errors: 20,
  refusedRecipients: 100,
  idleCommands: 100,
  failedLogins: 3,
  failedLoginsPerAddress: 30,
  failedLoginWindowMs: 600_000,
  failedLoginDelayMs: 1000,
  commandMs: 300_000,
  loginMs: 120_000,
  handshakeMs: 30_000,
  dataMs: 180_000,
  minimumRate: 1000,
  greetingDelayMs: 0,
}
