import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryOf } from './app-password.ts'
import { UsageError } from './cli-error.ts'

const NOW = Date.UTC(2026, 10, 22, 10)

test('an app password ends after a time, or with the last day that is named', () => {
  assert.equal(expiryOf('90d', NOW), Date.UTC(2027, 1, 20, 10))
  assert.equal(expiryOf('12h', NOW), Date.UTC(2026, 10, 22, 22))
  assert.equal(expiryOf('30s', NOW), NOW + 30_000)
  assert.equal(expiryOf('2027-03-31', NOW), Date.UTC(2027, 3, 1))
})

test('what is no time and no day of the calendar is wrong usage', () => {
  for (const text of ['', '90', '90 d', '-1d', '1w', '1e3d', '2027-02-29', '2027-13-01', '31.03.2027', 'tomorrow'])
    assert.throws(() => expiryOf(text, NOW), UsageError, text)
})
