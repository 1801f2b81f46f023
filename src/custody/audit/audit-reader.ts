/** Reads entries for people. A line that was not written here is never shown as an entry. */
import { loadKeyFile } from '#lib/key-file.ts'
import { auditPaths, damaged, isThere } from './audit-head.ts'
import { decodeLine } from './audit-line.ts'
import type { AuditEntry, EntryFilter } from './audit-log.ts'
import { isTorn, logLines } from './log-lines.ts'

/** As AuditLog.entries says. */
export async function* readEntries(dataDir: string, filter: EntryFilter): AsyncGenerator<AuditEntry> {
  const paths = auditPaths(dataDir)
  if (!(await isThere(paths.log))) return
  if (!(await isThere(paths.key))) throw damaged(`${paths.key} is missing: restore it from a backup`)
  const key = await loadKeyFile(paths.key)
  const { account, since = 0, limit = Number.POSITIVE_INFINITY } = filter
  const newest: AuditEntry[] = []
  let firstBad: number | null = null
  for await (const line of logLines(paths.log)) {
    const entry = decodeLine(line.octets, key)?.entry
    if (!entry) {
      if (!isTorn(line)) firstBad ??= line.number
    } else if (entry.at >= since && (account === undefined || entry.account === account)) {
      if (limit === Number.POSITIVE_INFINITY) yield entry
      else if (newest.push(entry) > limit) newest.shift()
    }
  }
  yield* newest
  if (firstBad !== null) throw damaged(`line ${firstBad} of ${paths.log} is not one that was written here`)
}
