/** The client is gone or must go; nothing more can be said to it. */
export class ConnectionOver extends Error {
  override readonly name = 'ConnectionOver'
}
