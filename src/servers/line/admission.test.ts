import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionCounts } from './admission.ts'

const limits = {
  connections: 5,
  connectionsPerAddress: 3,
  connectionsBeforeLogin: 4,
  connectionsPerAccount: 2,
}

test('one address gets its share and gives it back', () => {
  const counts = new ConnectionCounts(limits)
  const held = [counts.admit('192.0.2.1'), counts.admit('192.0.2.1'), counts.admit('::ffff:192.0.2.1')]
  assert.ok(held.every((one) => one !== null))
  assert.equal(counts.admit('192.0.2.1'), null)
  assert.ok(counts.admit('192.0.2.2'))
  held[0]!.leave()
  held[0]!.leave()
  assert.equal(counts.all, 3)
  assert.ok(counts.admit('192.0.2.1'))
  assert.equal(counts.admit('192.0.2.1'), null)
})

test('strangers leave room for those who log in, up to the whole', () => {
  const counts = new ConnectionCounts(limits)
  const first = counts.admit('192.0.2.1')!
  for (const ip of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) assert.ok(counts.admit(ip))
  assert.equal(counts.admit('192.0.2.5'), null)
  assert.equal(first.login('alice'), true)
  assert.ok(counts.admit('192.0.2.5'))
  assert.equal(counts.admit('192.0.2.6'), null)
})

test('one account has so many connections', () => {
  const counts = new ConnectionCounts(limits)
  const held = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((ip) => counts.admit(ip)!)
  assert.deepEqual(
    held.map((one) => one.login('alice')),
    [true, true, false],
  )
  held[1]!.leave()
  assert.equal(held[2]!.login('alice'), true)
})
