/** The steps in which the log reaches the disk, one by one so that tests can stop the world after each of them. */
import { constants } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { withFileLock } from '#lib/file-lock.ts'

export interface AuditDisk {
  /** Runs while no other process does. Throws FileLocked. */
  exclusively(lock: string, run: () => Promise<void>): Promise<void>
  /** For its owner alone. */
  makeFolder(path: string): Promise<void>
  /** Writes all of it at this position of the file, which is made when it is missing, and syncs it. */
  writeAt(path: string, content: Uint8Array, position: number): Promise<void>
  truncate(path: string, size: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  syncFolder(path: string): Promise<void>
}

export const disk: AuditDisk = {
  exclusively: withFileLock,
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  async writeAt(path, content, position) {
    await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    for (let done = 0; done < content.length; )
      done += (await file.write(content, done, content.length - done, position + done)).bytesWritten
    await file.sync()
  },
  async truncate(path, size) {
    await using file = await open(path, 'r+')
    await file.truncate(size)
    await file.sync()
  },
  rename,
  async syncFolder(path) {
    await using folder = await open(path, 'r')
    await folder.sync()
  },
}
