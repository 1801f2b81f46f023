/** The parent's side of the load generator. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Load, LoadDone } from './load.ts'

export interface Loader extends AsyncDisposable {
  run(load: Load): Promise<LoadDone>
}

export async function startLoader(): Promise<Loader> {
  const child = fork(join(import.meta.dirname, 'load.ts'))
  await once(child, 'message')
  return {
    run: async (load) => {
      const answer = once(child, 'message')
      child.send(load)
      const [done] = (await answer) as [LoadDone]
      if (done.refusal !== null) throw new Error(`the server refused: ${done.refusal}`)
      return done
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}
