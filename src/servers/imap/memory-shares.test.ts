import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryShares, ReceivingMemory } from './memory-shares.ts'

test('an account gets its share, and takes nothing from others', () => {
  const shares = new MemoryShares(100)
  assert.ok(shares.take('eve', 60))
  assert.ok(!shares.take('eve', 41))
  assert.ok(shares.take('bob', 100))
  shares.give('eve', 1)
  assert.ok(shares.take('eve', 41))
})

test('who waits gets its turn in order, and nobody overtakes', async () => {
  const shares = new MemoryShares(100)
  const begun: string[] = []
  shares.take('eve', 90)
  const large = shares.waitFor('eve', 500).then((octets) => begun.push(`large ${octets}`))
  const small = shares.waitFor('eve', 10).then((octets) => begun.push(`small ${octets}`))
  assert.ok(!shares.take('eve', 5))
  shares.give('eve', 90)
  await large
  assert.deepEqual(begun, ['large 100'])
  shares.give('eve', 100)
  await small
  assert.deepEqual(begun, ['large 100', 'small 10'])
  shares.give('eve', 10)
  assert.ok(shares.take('eve', 100))
})

test('all accounts together get no more than there is', () => {
  const memory = new ReceivingMemory(100, 60)
  assert.ok(memory.take('eve', 60))
  assert.ok(!memory.take('eve', 1))
  assert.ok(!memory.take('bob', 41))
  assert.ok(memory.take('bob', 40))
  memory.give('eve', 60)
  assert.ok(memory.take('bob', 20))
})

test('accounts with slow clients leave room for those that have nothing yet', async () => {
  const shares = new MemoryShares(60, 200)
  const begun: string[] = []
  const wait = async (account: string, octets: number) => {
    begun.push(`${account} ${await shares.waitFor(account, octets)}`)
  }
  await wait('eve', 40)
  await wait('mallory', 40)
  await wait('eve', 20)
  // Half of it is taken: more is for those that have nothing.
  const second = wait('mallory', 20)
  await wait('bob', 60)
  await wait('ann', 40)
  // Everything is taken: who has nothing comes next, and nobody overtakes.
  const next = wait('carol', 50)
  assert.ok(!shares.take('dave', 1))
  shares.give('bob', 60)
  await next
  assert.deepEqual(begun, ['eve 40', 'mallory 40', 'eve 20', 'bob 60', 'ann 40', 'carol 50'])
  shares.give('ann', 40)
  shares.give('carol', 50)
  shares.give('eve', 60)
  await second
})
