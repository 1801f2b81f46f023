import type { Bytes } from '#lib/bytes.ts'

/**
 * What is needed from outside to open mail that its sender sealed: answers about keys and verdicts about content. Without it such mail is
 * opened too, and its signatures stay unchecked until somebody comes with it.
 */
export interface UnsealingAid {
  /** The account's own certificates whose secret is here: their fingerprints, and fingerprints and key ids of all their keys. Upper-case hex. */
  own(): Promise<{ readonly certificates: readonly string[]; readonly keys: readonly string[] }>
  /** Certificates that `author` (an address) has or had and that may have made signatures by `issuers` (fingerprints or key ids). */
  signers(author: string, issuers: readonly string[]): Promise<Signers>
  /** Left out: yes. Where nobody scans, nothing is asked. */
  readonly scans?: boolean
  /** What scanners say of a message that could not be scanned when it arrived. */
  scan(message: Bytes): Promise<ScanVerdict>
  /** Names this provider in Authentication-Results (RFC 8601 §2.5). */
  readonly authservId: string
  /** Milliseconds since the epoch. */
  now(): number
}

export interface Signers {
  readonly certificates: readonly {
    /** Binary. */
    readonly certificate: Bytes
    readonly evidence: 'local' | 'secure-srv' | 'openpgpkey' | 'wkd' | 'accepted'
    /** It is the one that the address has now. */
    readonly isCurrent: boolean
  }[]
  /** null, or why the answer is not complete now and may be asked for again. */
  readonly trouble: string | null
}

/** `unscanned`: nobody scans here, or nobody answered in time. */
export type ScanVerdict = 'clean' | 'junk' | 'malware' | 'unscanned'
