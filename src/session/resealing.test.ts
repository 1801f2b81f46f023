import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, Coverage, ResealingState } from '#custody/store/mail-store.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createFakeLog } from '../../test/support/fake-log.ts'
import { createResealing } from './resealing.ts'

const ACCOUNT = 'alice00000000001'

function account(contents: number, stepMs = 0) {
  const clock = createFakeClock()
  const log = createFakeLog()
  const state = {
    value: 'running' as ResealingState,
    waiting: contents,
    steps: 0,
    busy: 0,
    trouble: null as Error | null,
  }
  const mail = (): AccountMail & { closed: boolean } => {
    const made = {
      closed: false,
      resealing: async () => state.value,
      async reseal(limit: number): Promise<Coverage> {
        assert.ok(!made.closed && state.busy === 0, 'one step at a time, with a mail that is open')
        state.busy++
        state.steps++
        await Promise.resolve()
        state.busy--
        if (state.trouble) throw state.trouble
        clock.set(clock.now() + stepMs)
        state.waiting = Math.max(0, state.waiting - limit)
        if (state.waiting === 0) state.value = 'off'
        return {
          contents,
          current: contents - state.waiting,
          waiting: state.waiting,
          unreadable: 0,
          state: state.value,
        }
      },
    }
    return made as unknown as AccountMail & { closed: boolean }
  }
  /** The first step is on its way when the clock begins to move. */
  const pass = async (ms: number) => {
    await clock.advance(0)
    await clock.advance(ms)
  }
  return { clock, log, state, mail, pass, resealing: createResealing(clock, log) }
}

test('it goes on to the end, and says so at the start, at each thousand and at the end', async () => {
  const { log, state, mail, resealing, pass } = account(2500)
  const ended = log.heard('re-sealing: ended')
  await using _job = resealing.join(ACCOUNT, mail())
  await pass(60_000)
  const { current, waiting } = await ended
  assert.deepEqual([current, waiting, state.waiting], [2500, 0, 0])
  assert.deepEqual([log.said('re-sealing: started').length, log.said('re-sealing: going on').length], [1, 2])
})

test('it rests four times as long as it works', async () => {
  const { clock, state, mail, resealing, pass } = account(1000, 50)
  await using _job = resealing.join(ACCOUNT, mail())
  await pass(0)
  const began = clock.now()
  const before = state.steps
  await pass(10_000)
  const worked = (state.steps - before) * 50
  assert.ok(worked > 0 && worked <= (clock.now() - began) / 4, `${worked} ms of ${clock.now() - began}`)
})

test('one job for all sessions; it goes on with those that are left and stops with the last', async () => {
  const { state, mail, resealing, pass } = account(10_000)
  const [first, second] = [mail(), mail()]
  const [one, two] = [resealing.join(ACCOUNT, first), resealing.join(ACCOUNT, second)]
  await pass(1000)
  await one[Symbol.asyncDispose]()
  first.closed = true
  const before = state.steps
  await pass(1000)
  assert.ok(state.steps > before)
  await two[Symbol.asyncDispose]()
  second.closed = true
  const last = state.steps
  await pass(5000)
  assert.equal(state.steps, last)
  await using _again = resealing.join(ACCOUNT, mail())
  await pass(1000)
  assert.ok(state.steps > last, 'it goes on at the next login')
})

test('who pauses it is obeyed at the next step', async () => {
  const { state, mail, resealing, pass } = account(10_000)
  await using _job = resealing.join(ACCOUNT, mail())
  await pass(500)
  state.value = 'paused'
  const before = state.steps
  await pass(5000)
  assert.equal(state.steps, before)
  state.value = 'running'
  await pass(60_000)
  assert.ok(state.steps > before, 'and who resumes it too, in the same session')
})

test('trouble stops it with a line, and the next login tries again', async () => {
  const { log, state, mail, resealing, pass } = account(100)
  state.trouble = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  await using _job = resealing.join(ACCOUNT, mail())
  await log.heard('re-sealing: stopped, and goes on at the next login')
  await pass(5000)
  assert.equal(state.steps, 1)
  state.trouble = null
  await using _again = resealing.join(ACCOUNT, mail())
  await pass(60_000)
  assert.equal(state.waiting, 0)
})
