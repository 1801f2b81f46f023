import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import type { Grant } from './credentials.ts'
import { Forbidden, HandleClosed, type UnlockedAccount, UnlockedAccounts } from './unlocked-accounts.ts'

const { secret } = await generateKeys({ userId: '<a@alpha.test>', algorithm: 'curve25519', created: new Date(0) })
const opened = (account: string): UnlockedAccount => ({
  account,
  keys: [openSecretKeys(secret)],
  endToEnd: '',
  indexKeys: [Buffer.alloc(32, 7)],
})
const [FIRST, SECOND] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const said = (password: string) => ({ password: Buffer.from(password), passphrase: Buffer.alloc(0) })
const credential = said('credential')
const grant: Grant = { slot: 's', scope: '', expires: null, reads: true, signs: true }
const NOW = { use: 'imap', now: 0 } as const

const isWiped = ({ keys, indexKeys }: UnlockedAccount) =>
  keys.every((key) => key.keys.length === 0) && indexKeys.every((key) => key.every((octet) => octet === 0))

test('keys outlive the last handle by the grace period, then they are wiped', async () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 60_000)
  const account = opened('a')
  const one = unlocked.add(account, FIRST, { credential: credential, grant }).handle
  const two = unlocked.reopen({ account: 'a', mac: FIRST }, credential, NOW)!.handle
  assert.notEqual(one, two)
  unlocked.close(one)
  unlocked.close(one)
  await clock.advance(120_000)
  assert.equal(unlocked.at(two, 'reads').account, 'a', 'the other handle keeps it')
  assert.throws(() => unlocked.at(one, 'reads'), HandleClosed)
  unlocked.close(two)
  await clock.advance(59_999)
  const three = unlocked.reopen({ account: 'a', mac: FIRST }, credential, NOW)!.handle
  await clock.advance(120_000)
  assert.ok(!isWiped(account), 'a new handle ends the grace period')
  unlocked.close(three)
  await clock.advance(60_000)
  assert.ok(isWiped(account))
  assert.deepEqual([unlocked.handles, unlocked.accounts, clock.waiting], [0, 0, 0])
  assert.equal(unlocked.reopen({ account: 'a', mac: FIRST }, credential, NOW), null)
})

test('without a grace period the keys go with the last handle', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 0)
  const account = opened('a')
  unlocked.close(unlocked.add(account, FIRST, { credential: credential, grant }).handle)
  assert.ok(isWiped(account))
})

test('only a credential that opened this account with this table is recognised', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 60_000)
  unlocked.add(opened('a'), FIRST, { credential: credential, grant }).handle
  assert.ok(unlocked.reopen({ account: 'a', mac: FIRST }, credential, NOW))
  assert.equal(unlocked.reopen({ account: 'a', mac: FIRST }, said('credentiam'), NOW), null)
  assert.equal(unlocked.reopen({ account: 'a', mac: SECOND }, credential, NOW), null)
  assert.equal(unlocked.reopen({ account: 'b', mac: FIRST }, credential, NOW), null)
})

test('opening twice keeps one set of keys; another table ends what was open with the old one', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 60_000)
  const [first, again, changed] = [opened('a'), opened('a'), opened('a')]
  const one = unlocked.add(first, FIRST, { credential: credential, grant }).handle
  const two = unlocked.add(again, FIRST, { credential: said('another'), grant }).handle
  assert.ok(isWiped(again) && !isWiped(first))
  assert.equal(unlocked.at(one, 'reads'), unlocked.at(two, 'reads'))
  const three = unlocked.add(changed, SECOND, { credential: credential, grant }).handle
  assert.ok(isWiped(first))
  assert.throws(() => unlocked.at(one, 'reads'), HandleClosed)
  assert.equal(unlocked.at(three, 'reads').account, 'a')
  unlocked.endAll('a')
  unlocked.endAll('a')
  assert.ok(isWiped(changed))
  assert.equal(unlocked.handles, 0)
})

test('a handle that nobody uses ends, and the keys go with the last one; each use gives it time anew', async () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 0, 1000)
  const account = opened('a')
  const forgotten = unlocked.add(account, FIRST, { credential: credential, grant }).handle
  const busy = unlocked.reopen({ account: 'a', mac: FIRST }, credential, NOW)!.handle
  await clock.advance(900)
  unlocked.at(busy, 'reads')
  await clock.advance(99)
  assert.equal(unlocked.handles, 2)
  await clock.advance(1)
  assert.throws(() => unlocked.at(forgotten, 'reads'), HandleClosed)
  assert.ok(!isWiped(account), 'the other one is in use')
  for (let use = 0; use < 5; use++) {
    await clock.advance(800)
    unlocked.at(busy, 'reads')
  }
  await clock.advance(999)
  assert.ok(!isWiped(account))
  await clock.advance(1)
  assert.throws(() => unlocked.at(busy, 'reads'), HandleClosed)
  assert.ok(isWiped(account))
  assert.equal(clock.waiting, 0)
})

test('a handle that ends in another way leaves no timer behind', () => {
  const clock = createFakeClock()
  const unlocked = new UnlockedAccounts(clock, 0, 1000)
  unlocked.close(unlocked.add(opened('a'), FIRST, { credential: credential, grant }).handle)
  unlocked.add(opened('a'), FIRST, { credential: credential, grant }).handle
  unlocked.add(opened('b'), FIRST, { credential: credential, grant }).handle
  unlocked.endAll('a')
  unlocked.endAll('b')
  assert.equal(clock.waiting, 0)
})

test('a handle has the rights of its slot, and a slot that expires lets nobody in again and ends', async () => {
  const clock = createFakeClock(0)
  const unlocked = new UnlockedAccounts(clock, 60_000)
  const narrow: Grant = { slot: 'a', scope: 'smtp,sign', expires: 5000, reads: false, signs: true }
  const { handle } = unlocked.add(opened('a'), FIRST, { credential, grant: narrow })
  assert.throws(() => unlocked.at(handle, 'reads'), Forbidden)
  assert.equal(unlocked.at(handle, 'signs').account, 'a')
  const table = { account: 'a', mac: FIRST }
  assert.equal(unlocked.reopen(table, credential, { use: 'imap', now: 0 }), null)
  assert.equal(unlocked.reopen(table, credential, { use: 'owner', now: 0 }), null)
  assert.ok(unlocked.reopen(table, credential, { use: 'smtp', now: 4999 }))
  assert.equal(unlocked.reopen(table, credential, { use: 'smtp', now: 5000 }), null)
  await clock.advance(5000)
  assert.throws(() => unlocked.at(handle, 'signs'), HandleClosed)
})

test('a credential that opens nothing has a handle that ends with the others', () => {
  const unlocked = new UnlockedAccounts(createFakeClock(), 0)
  const { handle } = unlocked.addProof('a', { ...grant, reads: false, signs: false })
  assert.throws(() => unlocked.at(handle, 'signs'), Forbidden)
  assert.deepEqual([unlocked.handles, unlocked.accounts], [1, 0])
  unlocked.endAll('a')
  assert.throws(() => unlocked.at(handle, 'signs'), HandleClosed)
})
