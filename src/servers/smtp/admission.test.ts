import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { Admission } from './admission.ts'
import { defaultLimits } from './limits.ts'
import { MemoryBudget } from './memory-budget.ts'

test('places are given back once, and failed logins are forgotten in time', () => {
  let now = 0
  const limits = { ...defaultLimits, connections: 1, failedLoginsPerAddress: 2, failedLoginWindowMs: 1000 }
  const admission = new Admission(limits, { ...systemClock, now: () => now })
  const place = admission.admit('192.0.2.1', true)
  assert.equal(admission.admit('192.0.2.2', true), null)
  place?.loggedIn()
  place?.[Symbol.dispose]()
  assert.equal(admission.open, 0)
  assert.ok(admission.admit('192.0.2.2', true))
  for (const ip of ['2001:db8::1', '2001:db8::2']) admission.loginFailed(ip)
  assert.equal(admission.mayLogin('2001:db8::3'), false)
  assert.equal(admission.mayLogin('192.0.2.1'), true)
  now = 1000
  assert.equal(admission.mayLogin('2001:db8::3'), true)
})

test('memory that is held is given back', () => {
  const budget = new MemoryBudget(10)
  const [one, two] = [budget.hold(), budget.hold()]
  assert.equal(one.resize(7), true)
  assert.equal(two.resize(4), false)
  assert.equal(two.resize(3), true)
  assert.equal(one.resize(1), true)
  assert.equal(two.resize(9), true)
  one[Symbol.dispose]()
  two[Symbol.dispose]()
  two[Symbol.dispose]()
  assert.equal(budget.used, 0)
})
