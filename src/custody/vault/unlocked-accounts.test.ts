import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { HandleClosed, type UnlockedAccount, UnlockedAccounts } from './unlocked-accounts.ts'

const { secret } = await generateKeys({ userId: '<a@alpha.test>', algorithm: 'curve25519', created: new Date(0) })
const opened = (account: string): UnlockedAccount => ({
  account,
  keys: [openSecretKeys(secret)],
  indexKey: Buffer.alloc(32, 7),
})
const [FIRST, SECOND] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const credential = Buffer.from('credential')

const isWiped = ({ keys, indexKey }: UnlockedAccount) =>
  keys.every((key) => key.keys.length === 0) && indexKey.every((octet) => octet === 0)

test('keys outlive the last handle by the grace period, then they are wiped', async () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 60_000)
  const account = opened('a')
  const one = unlocked.add(account, FIRST, credential)
  const two = unlocked.reopen('a', FIRST, credential)!
  assert.notEqual(one, two)
  unlocked.close(one)
  unlocked.close(one)
  await clock.advance(120_000)
  assert.equal(unlocked.at(two).account, 'a', 'the other handle keeps it')
  assert.throws(() => unlocked.at(one), HandleClosed)
  unlocked.close(two)
  await clock.advance(59_999)
  const three = unlocked.reopen('a', FIRST, credential)!
  await clock.advance(120_000)
  assert.ok(!isWiped(account), 'a new handle ends the grace period')
  unlocked.close(three)
  await clock.advance(60_000)
  assert.ok(isWiped(account))
  assert.deepEqual([unlocked.handles, unlocked.accounts, clock.waiting], [0, 0, 0])
  assert.equal(unlocked.reopen('a', FIRST, credential), null)
})

test('without a grace period the keys go with the last handle', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 0)
  const account = opened('a')
  unlocked.close(unlocked.add(account, FIRST, credential))
  assert.ok(isWiped(account))
})

test('only a credential that opened this account with this table is recognised', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 60_000)
  unlocked.add(opened('a'), FIRST, credential)
  assert.ok(unlocked.reopen('a', FIRST, credential))
  assert.equal(unlocked.reopen('a', FIRST, Buffer.from('credentiam')), null)
  assert.equal(unlocked.reopen('a', SECOND, credential), null)
  assert.equal(unlocked.reopen('b', FIRST, credential), null)
})

test('opening twice keeps one set of keys; another table ends what was open with the old one', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 60_000)
  const [first, again, changed] = [opened('a'), opened('a'), opened('a')]
  const one = unlocked.add(first, FIRST, credential)
  const two = unlocked.add(again, FIRST, Buffer.from('another'))
  assert.ok(isWiped(again) && !isWiped(first))
  assert.equal(unlocked.at(one), unlocked.at(two))
  const three = unlocked.add(changed, SECOND, credential)
  assert.ok(isWiped(first))
  assert.throws(() => unlocked.at(one), HandleClosed)
  assert.equal(unlocked.at(three).account, 'a')
  unlocked.endAll('a')
  unlocked.endAll('a')
  assert.ok(isWiped(changed))
  assert.equal(unlocked.handles, 0)
})

test('a handle that nobody uses ends, and the keys go with the last one; each use gives it time anew', async () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 0, 1000)
  const account = opened('a')
  const forgotten = unlocked.add(account, FIRST, credential)
  const busy = unlocked.reopen('a', FIRST, credential)!
  await clock.advance(900)
  unlocked.at(busy)
  await clock.advance(99)
  assert.equal(unlocked.handles, 2)
  await clock.advance(1)
  assert.throws(() => unlocked.at(forgotten), HandleClosed)
  assert.ok(!isWiped(account), 'the other one is in use')
  for (let use = 0; use < 5; use++) {
    await clock.advance(800)
    unlocked.at(busy)
  }
  await clock.advance(999)
  assert.ok(!isWiped(account))
  await clock.advance(1)
  assert.throws(() => unlocked.at(busy), HandleClosed)
  assert.ok(isWiped(account))
  assert.equal(clock.waiting, 0)
})

test('a handle that ends in another way leaves no timer behind', () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 0, 1000)
  unlocked.close(unlocked.add(opened('a'), FIRST, credential))
  unlocked.add(opened('a'), FIRST, credential)
  unlocked.add(opened('b'), FIRST, credential)
  unlocked.endAll('a')
  unlocked.endAll('b')
  assert.equal(clock.waiting, 0)
})
