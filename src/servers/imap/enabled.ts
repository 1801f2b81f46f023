/** What a client may ENABLE (RFC 5161): behaviour that others would not expect. */

/** Of RFC 9051, RFC 7162 (twice), RFC 6855 and RFC 9586. */
export type Enabled = 'IMAP4rev2' | 'CONDSTORE' | 'QRESYNC' | 'UTF8=ACCEPT' | 'UIDONLY'

const BY_NAME = new Map<string, Enabled>(
  (['IMAP4rev2', 'CONDSTORE', 'QRESYNC', 'UTF8=ACCEPT', 'UIDONLY'] as const).map((one) => [one.toUpperCase(), one]),
)

/** `name` in capitals; null for what is not known, which is passed over in silence (RFC 5161 §3.1). */
export const enabledByName = (name: string): Enabled | null => BY_NAME.get(name) ?? null
