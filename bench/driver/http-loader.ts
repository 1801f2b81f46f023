/** The parent's side of the load generator for HTTPS. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { HttpLoad, HttpLoadDone } from './http-load.ts'

export interface HttpLoader extends AsyncDisposable {
  run(load: HttpLoad): Promise<HttpLoadDone>
}

export async function startHttpLoader(): Promise<HttpLoader> {
  const child = fork(join(import.meta.dirname, 'http-load.ts'))
  await once(child, 'message')
  return {
    run: async (load) => {
      const answer = once(child, 'message')
      child.send(load)
      const [done] = (await answer) as [HttpLoadDone]
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
