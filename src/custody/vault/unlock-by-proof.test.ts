/** A proof at the vault's door, without keyring and process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { TableTampered } from './keyslots.ts'
import { decodeTable, encodeTable, type Keyslot, type SlotTable, scramTerms } from './protocol/slot-table.ts'
import { proofOf, scramKeys } from './scram-lock.ts'
import { openVault } from './vault.ts'

const NOW = 1_800_000_000_000
const NONE = Buffer.alloc(0)
const owner = { account: 'a', password: Buffer.from('correct horse'), passphrase: NONE }
const AUTH_MESSAGE = Buffer.from('what both have said')

const vault = openVault({ graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 10 }, createFakeClock(NOW))
const wish = { userId: '<a@alpha.test>', algorithm: 'curve25519', withKey: 'yes', created: NOW } as const
const made = await vault.create({ ...wish, account: 'a', password: Buffer.from('correct horse') })
const keys = [{ generation: 1, ...made }]

async function added(table: Uint8Array, salt: number) {
  const code = { type: 'app', scope: 'imap', label: 'phone', created: NOW, expires: 0 } as const
  const answer = await vault.addCode({ ...owner, ...code, table, salt: Buffer.alloc(16, salt) })
  assert.ok(answer.kind === 'added')
  return { table: answer.table, secret: Buffer.from(answer.secret) }
}

const first = await added(made.table, 1)
const second = await added(first.table, 2)

async function show(table: SlotTable, secret: Buffer) {
  const proof = proofOf(scramKeys(secret, scramTerms(table)!), AUTH_MESSAGE)
  const request = { account: 'a', table: encodeTable(table), keys, authMessage: AUTH_MESSAGE, proof }
  return vault.unlockByProof({ ...request, use: 'imap', now: NOW })
}

test('the first salt of an account is that of all that come after it', async () => {
  const table = decodeTable(second.table)
  const salts = table.slots.flatMap(({ scram }) => (scram ? [scram.salt[0]] : []))
  assert.deepEqual(salts, [1, 1])
  for (const { secret } of [first, second]) assert.equal((await show(table, secret)).kind, 'unlocked')
})

test('sessions of one table share the keys, which go with the last of them', async () => {
  const table = decodeTable(second.table)
  await vault.endAll({ account: 'a' })
  const [one, other] = [await show(table, first.secret), await show(table, second.secret)]
  assert.ok(one.kind === 'unlocked' && other.kind === 'unlocked')
  assert.deepEqual(await vault.status({}), { handles: 2, accounts: 1, stretches: (await vault.status({})).stretches })
  await vault.close({ handle: one.handle })
  assert.equal((await vault.indexKeys({ handle: other.handle })).length, 1)
  await vault.close({ handle: other.handle })
  assert.equal((await vault.status({})).accounts, 0)
})

test('who changes the slot, or the table around it, opens nothing', async () => {
  const table = decodeTable(second.table)
  const changed = (change: (slot: Keyslot) => Partial<Keyslot>) => ({
    ...table,
    slots: table.slots.map((slot) => (slot.scram ? { ...slot, ...change(slot) } : slot)),
  })
  const forgeries = [
    changed(() => ({ scope: 'imap,smtp' })),
    changed(() => ({ expires: NOW + 1 })),
    changed(({ scram }) => ({ scram: { ...scram!, serverKey: Buffer.alloc(32) } })),
    changed(({ scram }) => ({ scram: { ...scram!, wrapped: scram!.wrapped.toReversed() } })),
    // opens nothing by itself, and reads: the MAC is what says that it must
    { ...table, sequence: table.sequence + 1 },
  ]
  for (const forged of forgeries) await assert.rejects(show(forged, first.secret), TableTampered)
})

test('an account without such a lock is as wrong as one that is not there', async () => {
  const proof = Buffer.alloc(32, 1)
  const request = { keys: [], authMessage: AUTH_MESSAGE, proof, use: 'imap', now: NOW } as const
  assert.deepEqual(await vault.unlockByProof({ ...request, account: '', table: NONE }), { kind: 'wrong' })
  assert.deepEqual(await vault.unlockByProof({ ...request, account: 'a', table: made.table }), { kind: 'wrong' })
})
