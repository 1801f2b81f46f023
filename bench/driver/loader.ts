/** The parent's side of the load generators, each a program of its own so that its work is not on our processors' account. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { HttpLoad, HttpLoadDone } from './http-load.ts'
import type { Load, LoadDone } from './load.ts'

interface LoaderOf<Order, Done> extends AsyncDisposable {
  run(order: Order): Promise<Done>
}

export type Loader = LoaderOf<Load, LoadDone>
export type HttpLoader = LoaderOf<HttpLoad, HttpLoadDone>

async function start<Order, Done extends { readonly refusal: string | null }>(
  program: string,
): Promise<LoaderOf<Order, Done>> {
  const child = fork(join(import.meta.dirname, program))
  await once(child, 'message')
  return {
    run: async (order) => {
      const answer = once(child, 'message')
      child.send(order as Parameters<ChildProcess['send']>[0])
      const [done] = (await answer) as [Done]
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

export const startLoader = (): Promise<Loader> => start('load.ts')
export const startHttpLoader = (): Promise<HttpLoader> => start('http-load.ts')
