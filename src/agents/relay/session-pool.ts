import type { Clock } from '#lib/clock.ts'
import type { Session } from './session.ts'

/** An idle session is kept this long, since mail for one domain often comes in flocks. Milliseconds. */
const IDLE = 5000
const KEPT_PER_DOMAIN = 2
const KEPT = 20

interface Idle {
  readonly session: Session
  readonly timer: Disposable
}

/** Sessions between two transactions, by the domain that they were opened for. */
export class SessionPool implements Disposable {
  readonly #idle = new Map<string, Idle[]>()
  readonly #clock: Clock
  #size = 0
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A session that is ready for the next MAIL, no longer in the pool; null when there is none. */
  take(key: string): Session | null {
    const idle = this.#idle.get(key)?.at(-1)
    if (!idle) return null
    this.#remove(key, idle.session)
    return idle.session
  }

  /** Keeps the session for a while, or ends it. */
  give(key: string, session: Session): void {
    const kept = this.#idle.get(key) ?? []
    // RFC 9422 §4.1: some servers say how many messages they take over one connection.
    const limit = Number(/(?:^| )MAILMAX=([0-9]{1,9})/i.exec(session.keywords.get('LIMITS') ?? '')?.[1] ?? 100)
    const full = this.#closed || kept.length >= KEPT_PER_DOMAIN || this.#size >= KEPT || session.used >= limit
    if (full || session.client.lost) {
      session.client.quit()
      return
    }
    const end = () => {
      this.#remove(key, session)
      session.client.quit()
    }
    this.#idle.set(key, [...kept, { session, timer: this.#clock.after(IDLE, end) }])
    this.#size++
    session.client.onDisturbance(end)
  }

  #remove(key: string, session: Session): void {
    const kept = this.#idle.get(key) ?? []
    const left = kept.filter((idle) => idle.session !== session)
    if (left.length < kept.length) this.#size--
    for (const idle of kept) if (idle.session === session) idle.timer[Symbol.dispose]()
    if (left.length > 0) this.#idle.set(key, left)
    else this.#idle.delete(key)
    session.client.onDisturbance(null)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const [key, kept] of [...this.#idle]) {
      for (const { session } of kept) {
        this.#remove(key, session)
        session.client.quit()
      }
    }
  }
}
