/**
 * One at a time, over all processes: an flock(2) that the kernel lifts when its holder dies, so there is no stale lock to
 * judge. Node cannot take one itself; flock(1), of util-linux, holds it until its input ends. Taking it costs about 3 ms.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'

/** Another process holds the lock and does not come to an end. */
export class FileLocked extends Error {
  override readonly name = 'FileLocked'
}

const WAIT_SECONDS = 20
/** The exit status of flock(1) when the wait is over. */
const CONFLICT = 75

/** Runs `run` while nobody else holds the lock of this file, which is made when it is missing. Throws FileLocked after 20 seconds. */
export async function withFileLock<T>(path: string, run: () => Promise<T>): Promise<T> {
  // flock(1) would make it readable for others; what cannot be made it says itself
  await open(path, 'a', 0o600).then(
    (file) => file.close(),
    () => {},
  )
  const holder = spawn(
    'flock',
    ['--exclusive', '--wait', String(WAIT_SECONDS), '--conflict-exit-code', String(CONFLICT), path, 'cat'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
    },
  )
  const ended = once(holder, 'close')
  try {
    // What cat gives back shows that it runs, and it runs only once the lock is held.
    holder.stdin.on('error', () => {})
    holder.stdin.write('\n')
    const isHeld = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)])
    if (!isHeld && holder.exitCode === CONFLICT)
      throw new FileLocked(`${path} is locked: another process changes what it guards; try again`)
    if (!isHeld) throw new Error(`${path} cannot be locked (flock ended with ${holder.exitCode})`)
    return await run()
  } finally {
    holder.stdin.end()
    await ended.catch(() => {})
  }
}
