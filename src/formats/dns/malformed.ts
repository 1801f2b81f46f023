/** What came is no DNS message, or what should be written cannot be one. */
export class MalformedDns extends Error {
  override readonly name = 'MalformedDns'
}
