/** Starts and asks the process that holds idle sessions (idle-sessions.ts). */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Done, Wish } from './idle-sessions.ts'

export interface IdleDriver extends AsyncDisposable {
  /** Answers milliseconds, of a 'deliver'. Throws when it could not be done. */
  ask(wish: Wish): Promise<readonly number[]>
}

export async function startIdleDriver(): Promise<IdleDriver> {
  const child = fork(new URL('./idle-sessions.ts', import.meta.url))
  await once(child, 'message')
  return {
    async ask(wish) {
      child.send(wish)
      const [done] = (await once(child, 'message')) as [Done]
      if ('failed' in done) throw new Error(done.failed)
      return done.latencies
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
