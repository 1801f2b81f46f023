/**
 * What only one at a time may do, over all processes, without waiting: a lock of the kernel on a file, taken by way of SQLite, which
 * ends with its process at the latest. (file-lock.ts waits, and costs a process while it is held.)
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const BUSY = 5

/** null: somebody else has it. Otherwise dispose when done. The file is made when it is missing, and stays empty. */
export function claimFile(path: string): Disposable | null {
  try {
    // Opened only when it is new: the kernel gives up a process's locks of a file with the first descriptor that is closed.
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === BUSY) return null
    throw error
  }
  return { [Symbol.dispose]: () => database.close() }
}
