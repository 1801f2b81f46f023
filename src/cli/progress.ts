/** How far a long command is: one line that changes on a terminal, otherwise a line now and then. */
import type { Clock } from '#lib/clock.ts'

const TERMINAL_MS = 200
const LINES_MS = 10_000

/** Text of others (file names, answers of servers) without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

export class Progress implements Disposable {
  readonly #clock: Clock
  readonly #isQuiet: boolean
  readonly #isTerminal = process.stderr.isTTY === true
  #shown: number
  #hasLine = false

  /** `isQuiet`: only what goes wrong is said. */
  constructor(clock: Clock, isQuiet: boolean) {
    this.#clock = clock
    this.#isQuiet = isQuiet
    this.#shown = clock.now()
  }

  /** `text` is made only when it is shown. */
  at(text: () => string): void {
    const now = this.#clock.now()
    if (this.#isQuiet || now - this.#shown < (this.#isTerminal ? TERMINAL_MS : LINES_MS)) return
    this.#shown = now
    if (!this.#isTerminal) process.stderr.write(`${printable(text())}\n`)
    else process.stderr.write(`\r\x1b[K${printable(text()).slice(0, Math.max(20, (process.stderr.columns ?? 80) - 1))}`)
    this.#hasLine = this.#isTerminal
  }

  /** A line that stays. */
  say(text: string): void {
    this[Symbol.dispose]()
    process.stderr.write(`${printable(text)}\n`)
  }

  /** Takes the changing line away. */
  [Symbol.dispose](): void {
    if (this.#hasLine) process.stderr.write('\r\x1b[K')
    this.#hasLine = false
  }
}

/** Ctrl-C, once: what is under way is finished. A second one ends the program at once. */
export function interruptible(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const stop = () => controller.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.removeListener('SIGINT', stop)
      process.removeListener('SIGTERM', stop)
    },
  }
}
