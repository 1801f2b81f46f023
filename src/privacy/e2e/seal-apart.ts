/**
 * Sealing in a thread that begins and ends with one message. One at a time: each holds its message some times over. What goes wrong
 * there comes back as a plain Error.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { threadEnvironment } from '#lib/thread-environment.ts'
import { WorkGate } from '#lib/work-gate.ts'
import type { Recipients, SealedForm } from './sealed-form.ts'

/** What the thread is asked, in turn. Octets are handed over, not copied. */
export type SealTask =
  /** Answered with the payload to be signed; the message is kept for `seal`. */
  | { readonly task: 'payload'; readonly message: Bytes }
  | { readonly task: 'seal'; readonly payload: Bytes; readonly signature: Bytes | null; readonly to: Recipients | null }
  | { readonly task: 'address'; readonly content: Bytes; readonly sessionKey: Bytes; readonly to: Recipients }
  | { readonly task: 'open'; readonly content: Bytes; readonly sessionKey: Bytes }

/** `sessionKey` is of `seal` alone. */
export interface SealAnswer {
  readonly octets: Bytes
  readonly sessionKey: Bytes | null
}

const gate = new WorkGate(1, 64)

/** As `sealed` in seal.ts. */
export function sealApart(
  message: Bytes,
  sign: ((payload: Bytes) => Promise<Bytes>) | null,
  to: Recipients | null,
): Promise<SealedForm> {
  return inThread(async (ask) => {
    const { octets: payload } = await ask({ task: 'payload', message: ownCopy(message) })
    const signature = sign && (await sign(payload).catch((error: unknown) => failed(payload, error)))
    const { octets, sessionKey } = await ask({ task: 'seal', payload, signature: signature && ownCopy(signature), to })
    return { content: asBuffer(octets), sessionKey: sessionKey! }
  })
}

function failed(payload: Bytes, error: unknown): never {
  wipe(payload)
  throw error
}

export function addressApart(content: Bytes, sessionKey: Bytes, to: Recipients): Promise<Buffer> {
  return inThread(async (ask) => {
    const task = { task: 'address', content: ownCopy(content), sessionKey: ownCopy(sessionKey), to } as const
    return asBuffer((await ask(task)).octets)
  })
}

export function openApart(content: Bytes, sessionKey: Bytes): Promise<Buffer> {
  return inThread(async (ask) => {
    const task = { task: 'open', content: ownCopy(content), sessionKey: ownCopy(sessionKey) } as const
    return asBuffer((await ask(task)).octets)
  })
}

type Ask = (task: SealTask) => Promise<SealAnswer>

function inThread<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  return gate.run(async () => {
    const worker = new Worker(new URL('./seal-thread.ts', import.meta.url), { env: threadEnvironment(), argv: [] })
    const ended = Promise.withResolvers<never>()
    // it may end while nobody waits for it
    ended.promise.catch(() => {})
    worker.on('error', ended.reject)
    worker.on('exit', () => ended.reject(new Error('the thread that seals a large message ended')))
    const ask: Ask = async (task) => {
      worker.postMessage(task, memoryOf(task))
      const [answer] = (await Promise.race([once(worker, 'message'), ended.promise])) as [SealAnswer]
      return answer
    }
    try {
      return await work(ask)
    } finally {
      await worker.terminate()
    }
  })
}

/** What the message holds on its own, to be handed over with it. Certificates are small, and others use them. */
export function memoryOf(message: object): ArrayBuffer[] {
  return Object.values(message).flatMap((value) => (isAlone(value) ? [value.buffer] : []))
}

const isAlone = (value: unknown): value is Uint8Array<ArrayBuffer> =>
  value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength

function ownCopy(octets: Bytes): Bytes {
  const copy = new Uint8Array(octets.byteLength)
  copy.set(octets)
  return copy
}
