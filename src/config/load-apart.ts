/**
 * Reads the configuration in a thread of its own, whose memory goes with it: what checks it is three megabytes of a library that a
 * server needs once.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { ConfigError } from './config-file.ts'
import type { LoadedConfig } from './load.ts'

/** What the thread answers. */
export type LoadAnswer = { readonly config: LoadedConfig } | { readonly mistakes: string }

/** As loadConfig. Throws ConfigError. */
export async function loadConfigApart(file: string): Promise<LoadedConfig> {
  const worker = new Worker(new URL('./load-thread.ts', import.meta.url), { workerData: file })
  const [answer] = (await once(worker, 'message')) as [LoadAnswer]
  await worker.terminate()
  if ('mistakes' in answer) throw new ConfigError(answer.mistakes)
  return answer.config
}
