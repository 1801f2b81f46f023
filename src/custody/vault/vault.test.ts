import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { WeakPassword } from './password-rules.ts'
import { SlotsFull } from './slot-changes.ts'
import { openVault } from './vault.ts'

const vaultOf = () => openVault({ graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 10 }, createFakeClock())
const CREATED = 1_700_000_000_000
const FACTS = {
  account: 'a',
  userId: '<a@alpha.test>',
  algorithm: 'curve25519',
  withKey: 'yes',
  created: CREATED,
} as const
const password = Buffer.from('password')
const NONE = Buffer.alloc(0)
const owner = { password, passphrase: NONE }
const LOGIN = { use: 'imap', now: CREATED } as const

test('parked generations fill the table, and relinking makes all of them readable', async () => {
  const vault = vaultOf()
  let made = await vault.create({ ...FACTS, password })
  const keys = [{ generation: 1, ...made }]
  for (let generation = 2; generation <= 60; generation++) {
    made = await vault.reset({ ...FACTS, table: made.table, password })
    keys.push({ generation, ...made })
  }
  await assert.rejects(async () => vault.reset({ ...FACTS, table: made.table, password }), SlotsFull)
  const relinked = await vault.relink({ account: 'a', table: made.table, ...owner, old: password, oldPassphrase: NONE })
  assert.ok(relinked.kind === 'relinked')
  assert.equal(relinked.generations.length, 59)
  const opened = await vault.unlock({ account: 'a', table: relinked.table, keys, ...owner, ...LOGIN })
  assert.ok(opened.kind === 'unlocked')
  const indexKeys = await vault.indexKeys({ handle: opened.handle })
  assert.equal(new Set(indexKeys.map((key) => Buffer.from(key).toString('hex'))).size, 60)
})

test('what was relinked stays readable over another reset and relink', async () => {
  const vault = vaultOf()
  const first = await vault.create({ ...FACTS, password })
  const second = await vault.reset({ ...FACTS, table: first.table, password: Buffer.from('second one') })
  const two = { password: Buffer.from('second one'), passphrase: NONE }
  const linked = await vault.relink({ account: 'a', table: second.table, ...two, old: password, oldPassphrase: NONE })
  assert.ok(linked.kind === 'relinked')
  const third = await vault.reset({ ...FACTS, table: linked.table, password: Buffer.from('third one') })
  const three = { password: Buffer.from('third one'), passphrase: NONE }
  assert.equal(
    (await vault.relink({ account: 'a', table: third.table, ...three, old: password, oldPassphrase: NONE })).kind,
    'nothing',
  )
  const again = await vault.relink({
    account: 'a',
    table: third.table,
    ...three,
    old: two.password,
    oldPassphrase: NONE,
  })
  assert.ok(again.kind === 'relinked')
  const keys = [first, second, third].map((key, index) => ({ ...key, generation: index + 1 }))
  const opened = await vault.unlock({ account: 'a', table: again.table, keys, ...three, ...LOGIN })
  assert.ok(opened.kind === 'unlocked')
  assert.equal((await vault.indexKeys({ handle: opened.handle })).length, 3)
})

test('what a password opened together with a passphrase is relinked by both, and by neither alone', async () => {
  const vault = vaultOf()
  const passphrase = Buffer.from('the passphrase')
  const first = await vault.create({ ...FACTS, password })
  const set = await vault.setPassphrase({
    account: 'a',
    table: first.table,
    ...owner,
    next: passphrase,
    created: CREATED,
  })
  assert.ok(set.kind === 'changed')
  const settled = await vault.settle({ account: 'a', table: set.table, password, passphrase })
  assert.ok(settled.kind === 'changed')
  const next = { password: Buffer.from('second one'), passphrase: NONE }
  const { table } = await vault.reset({ ...FACTS, table: settled.table, password: next.password })
  const relink = async (old: Buffer, oldPassphrase: Buffer) =>
    (await vault.relink({ account: 'a', table, ...next, old, oldPassphrase })).kind
  assert.equal(await relink(password, NONE), 'nothing')
  assert.equal(await relink(passphrase, NONE), 'nothing')
  assert.equal(await relink(password, Buffer.from('another phrase')), 'nothing')
  assert.equal(await relink(password, passphrase), 'relinked')
})

test('a request leaves its credential to its owner, and asks nothing of the wrong one', async () => {
  const vault = vaultOf()
  const { table } = await vault.create({ ...FACTS, password })
  assert.equal(password.toString(), 'password')
  const wrong = { password: Buffer.from('wrong password'), passphrase: NONE }
  const request = { account: 'a', table, created: 1, ...wrong }
  for (const answer of [
    await vault.unlock({ ...request, keys: [], ...LOGIN }),
    await vault.changePassword({ ...request, next: password }),
    await vault.settle(request),
    await vault.relink({ ...request, old: password, oldPassphrase: NONE }),
    await vault.exportKeys({ ...request, keys: [], lock: password }),
  ]) {
    assert.deepEqual(answer, { kind: 'wrong' })
  }
  await assert.rejects(async () => vault.create({ ...FACTS, password: Buffer.from('seven77') }), WeakPassword)
})
