/** How responses about messages are written for a client: what it enabled decides. */
import type { MessageRow, Uid } from '#custody/store/mail-store.ts'
import { formatSequenceSet } from '#formats/imap/sequence-set.ts'
import type { Enabled } from './enabled.ts'
import { UidRuns } from './uid-runs.ts'

export class Manner {
  readonly #enabled: ReadonlySet<Enabled>

  constructor(enabled: ReadonlySet<Enabled>) {
    this.#enabled = enabled
  }

  /** FETCH responses about flags carry MODSEQ (RFC 7162 §3.1). */
  get modseq(): boolean {
    return this.#enabled.has('CONDSTORE')
  }

  /** So do they the UID: RFC 7162 §3.2.4, RFC 9051 §7.5.2. */
  get uid(): boolean {
    return this.#enabled.has('QRESYNC') || this.rev2
  }

  /** Messages have no numbers (RFC 9586). */
  get uidOnly(): boolean {
    return this.#enabled.has('UIDONLY')
  }

  /** RFC 7162 §3.2.10, RFC 9586 §3: VANISHED instead of EXPUNGE. */
  get vanished(): boolean {
    return this.#enabled.has('QRESYNC') || this.uidOnly
  }

  /** RFC 9051 Appendix E: there is no \Recent, no UNSEEN code; SELECT tells the name. */
  get rev2(): boolean {
    return this.#enabled.has('IMAP4rev2')
  }

  /** `* 3 FETCH (` or, with UIDONLY, `* 300 UIDFETCH (` (RFC 9586 §3.3). `place` counts from 0. */
  fetch(place: number, uid: Uid): string {
    return this.uidOnly ? `* ${uid} UIDFETCH (` : `* ${place + 1} FETCH (`
  }

  /** A response with what changed of a message; `flags` null: only its MODSEQ. */
  changed(place: number, row: MessageRow, flags: string | null, withUid: boolean): string {
    const told: string[] = []
    if ((withUid || this.uid) && !this.uidOnly) told.push(`UID ${row.uid}`)
    if (flags !== null) told.push(`FLAGS ${flags}`)
    if (this.modseq) told.push(`MODSEQ (${row.modseq})`)
    return `${this.fetch(place, row.uid)}${told.join(' ')})\r\n`
  }

  /** These messages are gone. `runs` is what the client knew. */
  gone(uids: readonly Uid[], runs: UidRuns): string {
    if (uids.length === 0) return ''
    if (this.vanished) return `* VANISHED ${formatSequenceSet([...UidRuns.ofUids(uids).ranges()])}\r\n`
    // Highest first, so that no number moves before it is used.
    return uids
      .map((uid) => `* ${runs.indexOf(uid) + 1} EXPUNGE\r\n`)
      .reverse()
      .join('')
  }
}
