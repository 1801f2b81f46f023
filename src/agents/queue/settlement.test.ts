import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Notify } from '#formats/message/envelope.ts'
import { reply } from '#formats/smtp/reply.ts'
import { recipient } from '../../../test/support/fake-mail.ts'
import type { Outcome } from './queue.ts'
import { delayAfter, STANDARD_SCHEDULE } from './schedule.ts'
import { settle } from './settlement.ts'

const HOUR = 3_600_000
const arrived = 1_000_000
const later: Outcome = { kind: 'deferred', why: reply(450, '4.2.0', 'later'), remote: 'mx' }
const never: Outcome = { kind: 'failed', why: reply(550, '5.1.1', 'no'), remote: 'mx' }
const there = (remote: string | null, dsnRelayed = false): Outcome => ({
  kind: 'delivered',
  by: null,
  remote,
  dsnRelayed,
})

function at(age: number, outcome: Outcome, notify: Notify = null, warned = false) {
  const waiting = {
    ...recipient('bob@beta.test', { notify }),
    position: 0,
    tries: 3,
    nextTry: 0,
    warned,
    givenUp: false,
  }
  const { nextTry, report, expired } = settle(waiting, outcome, {
    arrived,
    now: arrived + age,
    schedule: STANDARD_SCHEDULE,
    random: 0.5,
  })
  return { waits: nextTry === null ? null : nextTry - arrived - age, report, expired }
}

test('success is told only to those who asked, by the last server that knows', () => {
  assert.equal(at(0, there(null)).report, null)
  assert.equal(at(0, there(null), ['failure']).report, null)
  assert.equal(at(0, there(null), ['success']).report, 'delivered')
  assert.equal(at(0, there('mx'), ['success']).report, 'relayed')
  assert.equal(at(0, there('mx', true), ['success']).report, null)
})

test('failure is told unless that was not wanted', () => {
  for (const [notify, report] of [
    [null, 'failed'],
    [['failure'], 'failed'],
    [['success', 'delay'], null],
    [[], null],
  ] as const) {
    assert.deepEqual(at(0, never, notify), { waits: null, report, expired: false })
  }
})

test('a delay is told once, after four hours', () => {
  assert.equal(at(3.9 * HOUR, later).report, null)
  assert.equal(at(4 * HOUR, later).report, 'delayed')
  assert.equal(at(4 * HOUR, later, null, true).report, null)
  assert.equal(at(4 * HOUR, later, ['failure']).report, null)
  assert.equal(at(4 * HOUR, later, ['delay']).report, 'delayed')
  assert.equal(at(4 * HOUR, later, []).report, null)
})

test('after five days it is given up, with a last try at the very end', () => {
  const end = 5 * 24 * HOUR
  assert.equal(at(end - 60_000, later).waits, 60_000)
  assert.deepEqual(at(end, later), { waits: null, report: 'failed', expired: true })
  assert.equal(at(end, later, []).report, null)
  assert.equal(at(end, there('mx')).expired, false)
})

test('delays never shrink from one try to the next but for their spread, and stay within it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (tries, random) => {
      const { delays, jitter } = STANDARD_SCHEDULE
      const middle = delayAfter(STANDARD_SCHEDULE, tries, 0.5)
      const delay = delayAfter(STANDARD_SCHEDULE, tries, random)
      assert.equal(middle, delays[Math.min(tries, delays.length) - 1])
      assert.ok(Math.abs(delay - middle) <= middle * jitter + 1)
      assert.ok(delayAfter(STANDARD_SCHEDULE, tries + 1, 0.5) >= middle)
    }),
  )
})
