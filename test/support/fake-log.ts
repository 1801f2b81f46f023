/** A logger that remembers its lines and lets a test wait for one: what the program says is the event that the test awaits. */
import { EventEmitter, once } from 'node:events'
import type { Fields, Logger } from '#lib/log.ts'

export interface FakeLog extends Logger {
  readonly lines: readonly (Fields & { readonly level: string; readonly msg: string })[]
  /** All lines with this sentence so far. */
  said(msg: string): readonly Fields[]
  /** Resolves once the sentence was said so many times; answers the last of them. */
  heard(msg: string, times?: number): Promise<Fields>
  /** Resolves at the next line, whatever it says. */
  next(): Promise<void>
}

export function createFakeLog(): FakeLog {
  const lines: (Fields & { level: string; msg: string })[] = []
  const events = new EventEmitter().setMaxListeners(0)
  const said = (msg: string) => lines.filter((line) => line.msg === msg)
  const write = (level: string, bound: Fields) => (fields: Fields, msg: string) => {
    lines.push({ ...bound, ...fields, level, msg })
    events.emit('line')
  }
  const bind = (bound: Fields): Logger => ({
    debug: write('debug', bound),
    info: write('info', bound),
    warn: write('warn', bound),
    error: write('error', bound),
    with: (fields) => bind({ ...bound, ...fields }),
  })
  return {
    ...bind({}),
    lines,
    said,
    async heard(msg, times = 1) {
      while (said(msg).length < times) await once(events, 'line')
      return said(msg)[times - 1]!
    },
    async next() {
      await once(events, 'line')
    },
  }
}
