/**
 * What a change of keys is about to make of an account, written before the keyslot table that makes it so. The table is the truth;
 * the directory is told afterwards. When both disagree and the table is what the intent says, a change was interrupted and the
 * directory is told now; without such an intent somebody else changed the directory. An intent that the table does not bear out
 * never happened.
 */
export interface Intent {
  /** Fingerprint of the certificate that mail will rest under. */
  readonly current: string
  /** Of the one that others will write to. */
  readonly endToEnd: string
  /** Fingerprints of certificates that will be revoked. */
  readonly retired: readonly string[]
}

const FORMAT = 'letterlock intent 1'
const FINGERPRINT = /^[0-9A-F]{40,64}$/

export function encodeIntent({ current, endToEnd, retired }: Intent): Buffer {
  return Buffer.from(`${JSON.stringify({ format: FORMAT, current, endToEnd, retired })}\n`)
}

/** null for what is none: then it does not count. */
export function decodeIntent(octets: Uint8Array): Intent | null {
  try {
    const { format, current, endToEnd, retired } = JSON.parse(Buffer.from(octets).toString('utf8'))
    if (format !== FORMAT || !Array.isArray(retired) || retired.length > 64) return null
    const isWhole = [current, endToEnd, ...retired].every((one) => typeof one === 'string' && FINGERPRINT.test(one))
    return isWhole ? { current, endToEnd, retired } : null
  } catch {
    return null
  }
}
