/** Half-open range of octets in the message. */
export interface Range {
  readonly start: number
  readonly end: number
}
