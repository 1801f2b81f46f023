/** Ctrl-D, and a terminal that goes away, end what is typed: a prompt would wait for ever, so they cancel it as Ctrl-C does. */
import type { EventEmitter } from 'node:events'

interface Key {
  readonly ctrl?: boolean
  readonly name?: string
}

/** Asks with a signal that is aborted when the input ends. `input`: a stream that emits keypress events while a prompt is open. */
export async function untilInputEnds<T>(input: EventEmitter, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ended = new AbortController()
  const end = () => ended.abort()
  const onKey = (_: unknown, { ctrl, name }: Key = {}) => {
    if (ctrl === true && name === 'd') end()
  }
  input.on('keypress', onKey)
  input.once('end', end)
  try {
    return await ask(ended.signal)
  } finally {
    input.removeListener('keypress', onKey)
    input.removeListener('end', end)
  }
}
