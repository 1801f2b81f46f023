/** The thread of load-apart.ts: its order is the path of the file. */
import { parentPort, workerData } from 'node:worker_threads'
import { ConfigError } from './config-file.ts'
import { loadConfig } from './load.ts'
import type { LoadAnswer } from './load-apart.ts'

function answer(): LoadAnswer {
  try {
    return { config: loadConfig(workerData as string) }
  } catch (error) {
    if (error instanceof ConfigError) return { mistakes: error.message }
    throw error
  }
}

parentPort?.postMessage(answer())
