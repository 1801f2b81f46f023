/** A directory on a real disk: /tmp is memory on many machines, where syncing costs nothing and so measures nothing. */
import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises'

export interface WorkDirectory extends AsyncDisposable {
  readonly path: string
  /** False where syncing to it does nothing. */
  readonly durable: boolean
}

const memoryFileSystems = new Set([0x01021994, 0x858458f6])

export async function workDirectory(name: string): Promise<WorkDirectory> {
  const path = await mkdtemp(`/var/tmp/letterlock-bench-${name}-`)
  // Peers run as users of their own.
  await chmod(path, 0o755)
  return {
    path,
    durable: !memoryFileSystems.has((await statfs(path)).type),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  }
}
