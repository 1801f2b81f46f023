/**
 * Re-seals an account's mail in the background while somebody with its keys is logged in: in small steps with pauses four
 * times as long, so that it takes a fifth of one core at most and whoever reads mail goes first. One job to an account, whatever
 * the number of sessions; when the last one ends it stops where it is, and goes on at the next login.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { AccountMail, Coverage } from '#custody/store/mail-store.ts'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'

/** Contents in one step. */
const STEP = 8
const PAUSE_MS = 100
const PAUSE_FACTOR = 4
/** From one look whether re-sealing that the owner or operator has paused may go on to the next. */
const PAUSED_MS = 10_000
/** Contents from one line in the log to the next. */
const REPORT_EVERY = 1000

interface Job {
  /** Any of them will do. */
  readonly mails: Set<AccountMail>
  readonly ended: AbortController
  readonly done: Promise<void>
}

export interface Resealing {
  /** A session has opened its mail. Dispose before that is closed: it waits for the step that is under way. */
  join(account: AccountId, mail: AccountMail): AsyncDisposable
}

export function createResealing(clock: Clock, logger: Logger): Resealing {
  const jobs = new Map<AccountId, Job>()
  /** The step that is made with it. */
  const stepping = new Map<AccountMail, Promise<unknown>>()

  /** null: it is done. */
  async function step([mail]: Iterable<AccountMail>): Promise<Coverage | 'paused' | null> {
    if (!mail) return null
    const running = mail.resealing().then(async (state) => {
      if (state === 'off') return null
      return state === 'paused' ? state : await mail.reseal(STEP)
    })
    stepping.set(mail, running)
    try {
      return await running
    } finally {
      stepping.delete(mail)
    }
  }

  async function run(account: AccountId, mails: ReadonlySet<AccountMail>, ended: AbortSignal): Promise<void> {
    let told: number | null = null
    while (!ended.aborted) {
      const began = clock.now()
      const coverage = await step(mails)
      if (!coverage) return
      if (coverage === 'paused') {
        await pause(clock, PAUSED_MS, ended)
        continue
      }
      const { waiting, unreadable, current } = coverage
      if (told === null || told - waiting >= REPORT_EVERY || waiting === 0) {
        const now = waiting === 0 ? 'ended' : told === null ? 'started' : 'going on'
        logger.info({ account, current, waiting, unreadable }, `re-sealing: ${now}`)
        told = waiting
      }
      if (waiting === 0) return
      await pause(clock, Math.max(PAUSE_MS, (clock.now() - began) * PAUSE_FACTOR), ended)
    }
  }

  function begin(account: AccountId, first: AccountMail): Job {
    const mails = new Set([first])
    const ended = new AbortController()
    const done = run(account, mails, ended.signal)
      .catch((error) => {
        if (!ended.signal.aborted) logger.warn({ account, error }, 're-sealing: stopped, and goes on at the next login')
      })
      .finally(() => {
        if (jobs.get(account) === job) jobs.delete(account)
      })
    const job: Job = { mails, ended, done }
    return job
  }

  return {
    join(account, mail) {
      let job = jobs.get(account)
      if (job) job.mails.add(mail)
      else {
        job = begin(account, mail)
        jobs.set(account, job)
      }
      const joined = job
      return {
        async [Symbol.asyncDispose]() {
          joined.mails.delete(mail)
          if (joined.mails.size === 0) {
            joined.ended.abort()
            await joined.done
          } else await stepping.get(mail)?.catch(() => {})
        },
      }
    },
  }
}
