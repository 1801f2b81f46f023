/** Writes entries: line first, head second, each on the disk before the next step. */
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import type { AuditDisk } from './audit-disk.ts'
import {
  type AuditHead,
  type AuditPaths,
  auditPaths,
  damaged,
  encodeHead,
  ifMissing,
  isThere,
  NO_ENTRIES,
  readHead,
} from './audit-head.ts'
import { decodeLine, encodeLine } from './audit-line.ts'
import type { AuditRecord } from './audit-log.ts'
import { isTorn, type LogLine, lastLine, logLines } from './log-lines.ts'

export class AuditWriter {
  readonly #paths: AuditPaths
  readonly #clock: Clock
  readonly #disk: AuditDisk

  constructor(dataDir: string, clock: Clock, disk: AuditDisk) {
    this.#paths = auditPaths(dataDir)
    this.#clock = clock
    this.#disk = disk
  }

  async write(record: AuditRecord): Promise<void> {
    await this.#makeFolders()
    await this.#disk.exclusively(this.#paths.lock, async () => {
      const key = await this.#key()
      try {
        const head = (await this.#continued(key)) ?? (await this.#started(key))
        await this.#append(head, record, key)
      } finally {
        key.fill(0)
      }
    })
  }

  async #makeFolders(): Promise<void> {
    const { folder, key } = this.#paths
    for (const path of [folder, dirname(key)]) {
      if (await isThere(path)) continue
      await this.#disk.makeFolder(path)
      await this.#disk.syncFolder(dirname(path))
    }
  }

  /** A new key is made only where no log could have been written with another one. */
  async #key(): Promise<Buffer> {
    const { key, head, log } = this.#paths
    if (!(await isThere(key)) && ((await isThere(head)) || (await isThere(log))))
      throw damaged(`${key} is missing: restore it from a backup`)
    return loadKeyFile(key)
  }

  /** The head to go on from, after what a crash left is put right; null when there is no log yet. */
  async #continued(key: Buffer): Promise<AuditHead | null> {
    const { log, head: headPath } = this.#paths
    const head = await readHead(headPath, key)
    const size = (await stat(log).catch(ifMissing))?.size ?? 0
    if (!head) {
      if (size > 0) throw damaged(`${headPath} is missing`)
      return null
    }
    if (size < head.octets) throw damaged(`${log} is shorter than ${headPath} says: its end was cut off`)
    await this.#checkLast(head, key)
    return size === head.octets ? head : this.#caughtUp(head, key)
  }

  /** The line that the head names as the last must be where it says. */
  async #checkLast(head: AuditHead, key: Buffer): Promise<void> {
    if (head.entries === 0) return
    const { log } = this.#paths
    const last = await lastLine(log, head.octets)
    if (decodeLine(last, key)?.chain !== head.chain)
      throw damaged(`line ${head.entries} of ${log} is not the one that was written`)
  }

  /** Counts whole lines that a crash kept the head from counting, and cuts off half a line. */
  async #caughtUp(head: AuditHead, key: Buffer): Promise<AuditHead> {
    const { log } = this.#paths
    let reached = head
    let torn: LogLine | null = null
    for await (const line of logLines(log, head)) {
      const decoded = torn ? null : decodeLine(line.octets, key)
      if (!torn && isTorn(line)) torn = line
      else if (decoded?.follows(reached.chain) && decoded.entry.seq === line.number) {
        // once more, because after a sync that failed it may be in memory only
        await this.#disk.writeAt(log, line.octets, line.position)
        reached = { entries: line.number, octets: line.position + line.octets.length, chain: decoded.chain }
      } else throw damaged(`line ${line.number} of ${log} is not one that was written here`)
    }
    if (torn) await this.#disk.truncate(log, torn.position)
    return reached
  }

  async #started(key: Buffer): Promise<AuditHead> {
    await this.#writeHead(NO_ENTRIES, key)
    await this.#disk.writeAt(this.#paths.log, Buffer.alloc(0), 0)
    await this.#disk.syncFolder(this.#paths.folder)
    return this.#append(NO_ENTRIES, { event: 'log.started', account: null, actor: 'server', detail: {} }, key)
  }

  async #append(head: AuditHead, record: AuditRecord, key: Buffer): Promise<AuditHead> {
    const seq = head.entries + 1
    const { octets, chain } = encodeLine({ seq, at: this.#clock.now(), ...record }, head.chain, key)
    await this.#disk.writeAt(this.#paths.log, octets, head.octets)
    const next = { entries: seq, octets: head.octets + octets.length, chain }
    await this.#writeHead(next, key)
    return next
  }

  async #writeHead(head: AuditHead, key: Buffer): Promise<void> {
    const { folder, head: path } = this.#paths
    const fresh = `${path}.new`
    await this.#disk.writeAt(fresh, encodeHead(head, key), 0)
    await this.#disk.rename(fresh, path)
    await this.#disk.syncFolder(folder)
  }
}
