/** The audit log on the disk. */
import type { Clock } from '#lib/clock.ts'
import { type AuditDisk, disk as realDisk } from './audit-disk.ts'
import type { AuditLog } from './audit-log.ts'
import { readEntries } from './audit-reader.ts'
import { AuditWriter } from './audit-writer.ts'

export interface AuditOptions {
  readonly dataDir: string
  readonly clock: Clock
  /** Named steps, so that tests can stop the world after each of them. */
  readonly disk?: AuditDisk
}

/** Opens nothing yet: the files are made at the first entry. */
export function openAuditLog({ dataDir, clock, disk = realDisk }: AuditOptions): AuditLog {
  const writer = new AuditWriter(dataDir, clock, disk)
  // one after the other within this process, so that many entries at once are not many waiting holders of the lock
  let last: Promise<unknown> = Promise.resolve()
  return {
    record(entry) {
      const written = last.then(() => writer.write(entry))
      last = written.catch(() => {})
      return written
    },
    entries: (filter = {}) => readEntries(dataDir, filter),
  }
}
