/**
 * One change of an account's keys at a time, over all processes: an flock(2) that the kernel lifts when its holder dies, so
 * there is no stale lock to judge. Node cannot take one itself; flock(1), of util-linux, holds it until its input ends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'

/** Another process changes the account's keys and does not come to an end. */
export class AccountLocked extends Error {
  override readonly name = 'AccountLocked'
}

const WAIT_SECONDS = 20
/** The exit status of flock(1) when the wait is over. */
const CONFLICT = 75

/** Runs `change` while nobody else holds the lock of this file. Throws AccountLocked after 20 seconds. */
export async function withAccountLock<T>(path: string, change: () => Promise<T>): Promise<T> {
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
    if (!isHeld && holder.exitCode === CONFLICT) {
      throw new AccountLocked(`${path} is locked by another process that changes this account; try again`)
    }
    if (!isHeld) throw new Error(`${path} cannot be locked (flock ended with ${holder.exitCode})`)
    return await change()
  } finally {
    holder.stdin.end()
    await ended.catch(() => {})
  }
}
