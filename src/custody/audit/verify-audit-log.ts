/** Goes through the whole log and names every line that is not as it was written. Changes nothing, and needs no lock. */
import { loadKeyFile } from '#lib/key-file.ts'
import { type AuditHead, auditPaths, isThere, NO_ENTRIES, readHead } from './audit-head.ts'
import { type DecodedLine, decodeLine, FIRST_CHAIN } from './audit-line.ts'
import { AuditDamaged } from './audit-log.ts'
import { isTorn, type LogLine, logLines } from './log-lines.ts'

export interface AuditFault {
  /** The line of `audit/log`, from 1; null for what concerns no line that is there. */
  readonly line: number | null
  readonly what: string
}

export interface AuditVerdict {
  /** `none`: nothing was ever recorded. */
  readonly kind: 'intact' | 'broken' | 'none'
  /** Lines that are as they were written. */
  readonly entries: number
  /** To be noted elsewhere: the chain of the last line that is as it was written. */
  readonly head: string
  /** The first hundred. */
  readonly faults: readonly AuditFault[]
  /** What a crash left and the next entry puts right: no fault. */
  readonly remarks: readonly string[]
  /** The entry whose head was noted; null when none was, or when it is not in this log. */
  readonly notedAt: number | null
}

const FAULTS_TOLD = 100

const entriesFrom = (first: number, last: number): string =>
  first === last ? `entry ${first} is missing` : `entries ${first} to ${last} are missing`

class Verification {
  readonly faults: AuditFault[] = []
  readonly remarks: string[] = []
  readonly #head: AuditHead
  readonly #noted: string | undefined
  /** The number of the last entry in its place. */
  #reached = 0
  #chain = FIRST_CHAIN
  /** Lines since then that nobody of us wrote: each may stand where an entry stood. */
  #foreign = 0
  #genuine = 0
  #notedAt: number | null = null

  constructor(head: AuditHead, noted: string | undefined) {
    this.#head = head
    this.#noted = noted
    if (noted === FIRST_CHAIN) this.#notedAt = 0
  }

  fault(line: number | null, what: string): void {
    if (this.faults.length < FAULTS_TOLD) this.faults.push({ line, what })
  }

  take(line: LogLine, decoded: DecodedLine | null): void {
    if (decoded) this.#takeGenuine(line.number, decoded)
    else if (isTorn(line) && line.position >= this.#head.octets)
      this.remarks.push(`Line ${line.number} was not finished when its writer ended; the next entry takes its place.`)
    else {
      this.#foreign++
      this.fault(line.number, 'was altered or inserted: it is not as it was written')
    }
  }

  #takeGenuine(number: number, { entry: { seq }, chain, follows }: DecodedLine): void {
    this.#genuine++
    if (seq <= this.#reached) {
      this.fault(number, `is entry ${seq}: it was moved here or repeated`)
      return
    }
    const missing = seq - this.#reached - 1 - this.#foreign
    if (missing > 0) this.fault(number, `${entriesFrom(seq - missing, seq - 1)} before it: dropped or moved`)
    else if (seq === this.#reached + 1 && !follows(this.#chain))
      this.fault(number, 'does not follow what stands before it')
    if (seq === this.#head.entries && chain !== this.#head.chain)
      this.fault(number, 'is not the line that the head names')
    if (chain === this.#noted) this.#notedAt = seq
    this.#reached = seq
    this.#chain = chain
    this.#foreign = 0
  }

  verdict(): AuditVerdict {
    const { entries } = this.#head
    const last = this.#reached + this.#foreign
    if (last < entries) this.fault(null, `${entriesFrom(last + 1, entries)} at the end: it was cut off`)
    const uncounted = this.#reached - entries
    if (uncounted > 0 && entries > 0)
      this.remarks.push(
        `The last ${uncounted === 1 ? 'entry is' : `${uncounted} entries are`} not yet counted in audit/head, as after a crash; the next entry counts them.`,
      )
    if (this.#noted !== undefined && this.#notedAt === null)
      this.fault(null, 'the noted head is that of no line: this log was written anew, or the head is of another one')
    return {
      kind: this.faults.length > 0 ? 'broken' : 'intact',
      entries: this.#genuine,
      head: this.#chain,
      faults: this.faults,
      remarks: this.remarks,
      notedAt: this.#notedAt,
    }
  }
}

const without = (kind: 'broken' | 'none', ...faults: string[]): AuditVerdict => ({
  kind,
  entries: 0,
  head: FIRST_CHAIN,
  faults: faults.map((what) => ({ line: null, what })),
  remarks: [],
  notedAt: null,
})

/** `notedHead`: the head that an earlier run answered, to find a log that somebody with the key wrote anew. */
export async function verifyAuditLog(dataDir: string, notedHead?: string): Promise<AuditVerdict> {
  const paths = auditPaths(dataDir)
  const [hasKey, hasHead, hasLog] = await Promise.all([paths.key, paths.head, paths.log].map(isThere))
  if (!hasLog && !hasHead) {
    if (hasKey) return without('broken', `the log is gone from ${paths.folder}: deleted or set aside`)
    return notedHead === undefined ? without('none') : without('broken', 'a head was noted, but there is no log')
  }
  if (!hasKey) return without('broken', `${paths.key} is missing: nothing can be verified without it`)
  const key = await loadKeyFile(paths.key)
  const { head, fault } = await trustedHead(paths.head, key)
  const verification = new Verification(head, notedHead)
  if (fault !== null) verification.fault(null, fault)
  for await (const line of logLines(paths.log)) verification.take(line, decodeLine(line.octets, key))
  return verification.verdict()
}

async function trustedHead(path: string, key: Buffer): Promise<{ head: AuditHead; fault: string | null }> {
  try {
    const head = await readHead(path, key)
    return head ? { head, fault: null } : { head: NO_ENTRIES, fault: `${path} is missing: the end cannot be verified` }
  } catch (error) {
    if (!(error instanceof AuditDamaged)) throw error
    return { head: NO_ENTRIES, fault: `${path} was altered, or belongs to another key: the end cannot be verified` }
  }
}
