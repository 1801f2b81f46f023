import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { WeakPassword } from './password-rules.ts'
import { SlotsFull } from './slot-changes.ts'
import { openVault } from './vault.ts'

const vaultOf = () => openVault({ graceMs: 0, memory: 64, passes: 1, waiting: 10 }, createFakeClock())
const FACTS = { account: 'a', userId: '<a@alpha.test>', algorithm: 'curve25519' as const, created: 1_700_000_000_000 }
const password = Buffer.from('password')

test('parked slots fill the table, and relinking empties it again', async () => {
  const vault = vaultOf()
  let made = await vault.create({ ...FACTS, password })
  const keys = [{ generation: 1, ...made }]
  for (let generation = 2; generation <= 16; generation++) {
    made = await vault.reset({ ...FACTS, table: made.table, password })
    keys.push({ generation, ...made })
  }
  await assert.rejects(async () => vault.reset({ ...FACTS, table: made.table, password }), SlotsFull)
  const change = { account: 'a', table: made.table, created: 1, old: password, next: Buffer.from('new password') }
  await assert.rejects(async () => vault.changePassword(change), SlotsFull)
  const relinked = await vault.relink({ account: 'a', table: made.table, keys, password, old: password })
  assert.ok(relinked.kind === 'relinked')
  assert.equal(relinked.keys.length, 15)
  assert.equal((await vault.changePassword({ ...change, table: relinked.table })).kind, 'changed')
})

test('a request leaves its credential to its owner, and asks nothing of the wrong one', async () => {
  const vault = vaultOf()
  const { table } = await vault.create({ ...FACTS, password })
  assert.equal(password.toString(), 'password')
  const wrong = Buffer.from('wrong password')
  for (const answer of [
    await vault.unlock({ account: 'a', table, keys: [], credential: wrong }),
    await vault.changePassword({ account: 'a', table, created: 1, old: wrong, next: password }),
    await vault.settle({ account: 'a', table, password: wrong }),
    await vault.relink({ account: 'a', table, keys: [], password: wrong, old: password }),
    await vault.exportKeys({ account: 'a', table, keys: [], password: wrong, passphrase: password }),
  ]) {
    assert.deepEqual(answer, { kind: 'wrong' })
  }
  await assert.rejects(async () => vault.create({ ...FACTS, password: Buffer.from('seven77') }), WeakPassword)
})
