/** What one client, one address and all clients together may cost. Times in milliseconds, sizes in octets. */
export interface HkpLimits {
  readonly connections: number
  readonly connectionsPerAddress: number
  /** Requests in a minute from one address. */
  readonly lookups: number
  readonly handshakeTime: number
  /** From the first octet of a request to its last. */
  readonly requestTime: number
  /** Between two requests. */
  readonly idle: number
  /** A client that takes nothing of what it was sent for this long is gone. */
  readonly stall: number
  /** Request line and header fields together. */
  readonly headerSize: number
}

export const defaultHkpLimits: HkpLimits = {
  connections: 1000,
  connectionsPerAddress: 100,
  lookups: 1000,
  handshakeTime: 10_000,
  requestTime: 10_000,
  idle: 15_000,
  stall: 30_000,
  headerSize: 8192,
}
