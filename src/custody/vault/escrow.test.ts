import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { dearmor } from '#formats/openpgp/armor.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { certificateOf, openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { LockedSecretKey } from '#formats/openpgp/secret-material.ts'
import { systemClock } from '#lib/clock.ts'
import { carryEscrow, parkedWithoutEscrow, sealEscrow, withoutEscrow } from './escrow.ts'
import { TableTampered } from './keyslots.ts'
import { WeakPassword } from './password-rules.ts'
import { decodeTable, encodeTable, type Keyslot, OPENINGS_MAX } from './protocol/slot-table.ts'
import { SlotsFull } from './slot-changes.ts'
import { openVault, type Vault } from './vault.ts'

const NOW = Date.UTC(2026, 0, 15)
const NONE = Buffer.alloc(0)
const PASSWORD = 'correct horse battery'
const LOCK = 'locks the master key'
const TICKET = 'court order 7/2026'
const COST = { graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 8 }

const vault: Vault = openVault(COST, systemClock)
const owner = (password = PASSWORD) => ({ password: Buffer.from(password), passphrase: NONE })
const makeMaster = () =>
  vault.makeMaster({ userId: 'Escrow of alpha.test', algorithm: 'curve25519', created: NOW, lock: Buffer.from(LOCK) })

let master: Awaited<ReturnType<typeof makeMaster>>
let other: typeof master
before(async () => {
  master = await makeMaster()
  other = await makeMaster()
})

async function account(name: string): Promise<Buffer> {
  const wish = { userId: `<${name}@alpha.test>`, algorithm: 'curve25519', withKey: 'yes', created: NOW } as const
  return Buffer.from((await vault.create({ account: name, ...wish, password: Buffer.from(PASSWORD) })).table)
}

async function consented(name: string): Promise<Buffer> {
  const request = { account: name, table: await account(name), ...owner(), master: master.certificate, created: NOW }
  const answer = await vault.addEscrow(request)
  assert.equal(answer.kind, 'changed')
  return Buffer.from((answer as { table: Uint8Array }).table)
}

const open = async (
  name: string,
  table: Buffer,
  change: { master?: Uint8Array; lock?: string; ticket?: string } = {},
) =>
  vault.openEscrow({
    account: name,
    table,
    master: change.master ?? master.secret,
    masterPassphrase: Buffer.from(change.lock ?? LOCK),
    ticket: change.ticket ?? TICKET,
    created: NOW + 1,
  })

/** The table with its slots changed by somebody without the AMK: what the MAC says is not looked at before something opens. */
function forged(table: Buffer, change: (slots: readonly Keyslot[]) => readonly Keyslot[]): Buffer {
  const read = decodeTable(table)
  return encodeTable({ ...read, slots: change(read.slots) })
}

const escrowSlot = (table: Buffer) => decodeTable(table).slots.find(({ type }) => type === 'escrow')!

test('the master key opens a consented account with one recovery code, and leaves a mark', async () => {
  const table = await consented('ada')
  const { kdf, verifier, publicKey } = escrowSlot(table)
  assert.deepEqual(kdf, { kind: 'openpgp', fingerprint: master.fingerprint })
  assert.equal(verifier.byteLength + publicKey.byteLength, 0)
  const opened = await open('ada', table)
  assert.ok(opened.kind === 'opened')
  const next = decodeTable(opened.table)
  assert.equal(next.sequence, decodeTable(table).sequence + 1)
  assert.deepEqual(next.openings, [{ at: NOW + 1, ticket: TICKET, master: master.fingerprint }])
  assert.equal(next.slots.filter(({ type }) => type === 'recovery').length, 2, "the owner's own code stays")
  const recovered = await vault.recover({
    account: 'ada',
    table: opened.table,
    created: NOW,
    code: opened.recoveryCode,
    next: Buffer.from('a new password'),
  })
  assert.ok(recovered.kind === 'changed')
  const settled = await vault.settle({ account: 'ada', table: recovered.table, ...owner('a new password') })
  assert.ok(settled.kind === 'changed')
  const last = decodeTable(settled.table)
  assert.deepEqual(last.slots.map(({ type }) => type).sort(), ['escrow', 'password', 'recovery'])
  assert.deepEqual(last.openings, next.openings, 'which stays')
})

test('a code made by the master key does not end the code of the owner, and ends with a newer password', async () => {
  const opened = await open('bob', await consented('bob'))
  assert.ok(opened.kind === 'opened')
  const own = decodeTable(opened.table).slots.find(({ type }) => type === 'recovery')!.id
  const change = { account: 'bob', table: opened.table, created: NOW, ...owner(), next: Buffer.from('a new password') }
  const changed = await vault.changePassword(change)
  assert.ok(changed.kind === 'changed')
  const settled = await vault.settle({ account: 'bob', table: changed.table, ...owner('a new password') })
  assert.ok(settled.kind === 'changed')
  const left = decodeTable(settled.table).slots.filter(({ type }) => type === 'recovery')
  assert.deepEqual(
    left.map(({ id }) => id),
    [own],
  )
})

test('nothing else opens it', async () => {
  const table = await consented('carl')
  assert.equal((await open('carl', await account('carl'))).kind, 'none')
  assert.equal((await open('carl', table, { lock: 'another passphrase' })).kind, 'wrong')
  assert.equal((await open('carl', table, { lock: '' })).kind, 'wrong')
  assert.equal((await open('carl', table, { master: other.secret })).kind, 'none')
  // The slot of another account, and one that names another master key than it is sealed to.
  const foreign = escrowSlot(await consented('eve'))
  const moved = forged(table, (slots) => [...withoutEscrow(slots), foreign])
  assert.equal((await open('carl', moved)).kind, 'wrong')
  const renamed = { ...escrowSlot(table), id: 'another' }
  assert.equal(
    (
      await open(
        'carl',
        forged(table, (slots) => [...withoutEscrow(slots), renamed]),
      )
    ).kind,
    'wrong',
  )
  const broken = { ...escrowSlot(table), wrapped: Buffer.from(escrowSlot(table).wrapped).fill(1, 100) }
  assert.equal(
    (
      await open(
        'carl',
        forged(table, (slots) => [...withoutEscrow(slots), broken]),
      )
    ).kind,
    'wrong',
  )
  // One slot more in the table, by somebody who could write there.
  const added = forged(table, (slots) => [...slots, { ...slots[0]!, id: 'added' }])
  await assert.rejects(open('carl', added), TableTampered)
  for (const ticket of ['', 'two\nlines', 'x'.repeat(501)]) await assert.rejects(open('carl', table, { ticket }))
})

test('only the owner adds the slot; a new one takes the place of the old', async () => {
  const table = await consented('fay')
  const request = { account: 'fay', table, master: master.certificate, created: NOW }
  assert.deepEqual(await vault.addEscrow({ ...request, ...owner('a wrong password') }), { kind: 'wrong' })
  const again = await vault.addEscrow({ ...request, ...owner() })
  assert.ok(again.kind === 'changed')
  const slots = decodeTable(again.table).slots.filter(({ type }) => type === 'escrow')
  assert.equal(slots.length, 1)
  assert.notEqual(slots[0]!.id, escrowSlot(table).id)
  assert.ok((await open('fay', Buffer.from(again.table))).kind === 'opened')
})

test('a slot is carried into another generation for the same master key only', async () => {
  const amk = Buffer.alloc(32, 7)
  const place = { account: 'hal', generation: 1 }
  const slot = sealEscrow(place, 3, { certificate: master.certificate, now: NOW }, amk)
  const into = { account: 'hal', generation: 2 }
  const carried = carryEscrow(into, slot, { certificate: master.certificate, now: NOW }, amk)
  assert.deepEqual({ ...carried, wrapped: null }, { ...slot, wrapped: null })
  assert.notDeepEqual(carried.wrapped, slot.wrapped)
  assert.throws(() => carryEscrow(into, slot, { certificate: other.certificate, now: NOW }, amk), MalformedOpenPgp)
})

test('a master certificate whose subkey is not bound by its key is not sealed to', async () => {
  const [own, foreign] = [master.certificate, other.certificate].map((octets) => [...readPackets(octets)])
  const mixed = Buffer.concat([...own!.slice(0, -2), ...foreign!.slice(-2)].map(({ octets }) => octets))
  const wish = { certificate: mixed, now: NOW }
  assert.throws(() => sealEscrow({ account: 'ida', generation: 1 }, 1, wish, Buffer.alloc(32)), MalformedOpenPgp)
})

test('openings are never forgotten: when no more can be noted, none is made', async () => {
  const table = decodeTable(await consented('gus'))
  const openings = Array.from({ length: OPENINGS_MAX }, () => ({ at: 1, ticket: 'x', master: 'F' }))
  await assert.rejects(open('gus', encodeTable({ ...table, openings })), SlotsFull)
})

test('what a reset has parked loses its escrow slot too', async () => {
  const table = await consented('joe')
  const wish = { userId: '<joe@alpha.test>', algorithm: 'curve25519', created: NOW } as const
  const reset = await vault.reset({ account: 'joe', table, ...wish, withKey: 'yes', password: Buffer.from(PASSWORD) })
  const parked = decodeTable(reset.table)
  assert.equal((await open('joe', Buffer.from(reset.table))).kind, 'none')
  assert.ok(parked.parked[0]!.slots.some(({ type }) => type === 'escrow'))
  assert.ok(parkedWithoutEscrow(parked)[0]!.slots.every(({ type }) => type !== 'escrow'))
})

test('a master key is locked, and its public half is the certificate', async () => {
  const { octets } = dearmor(master.secret)
  assert.deepEqual(Buffer.from(certificateOf(octets)), Buffer.from(master.certificate))
  assert.throws(() => openSecretKeys(octets), LockedSecretKey)
  const weak = { userId: 'x', algorithm: 'curve25519', created: NOW, lock: Buffer.from('short') } as const
  await assert.rejects(async () => vault.makeMaster(weak), WeakPassword)
})

test('a dry run says whether a master key opens', async () => {
  const check = (lock: string) =>
    vault.checkMaster({ master: master.secret, masterPassphrase: Buffer.from(lock), now: NOW })
  assert.deepEqual(await check(LOCK), { kind: 'opens', fingerprint: master.fingerprint })
  assert.deepEqual(await check('another passphrase'), { kind: 'wrong' })
  const nothing = { master: master.certificate, masterPassphrase: NONE, now: NOW }
  await assert.rejects(async () => vault.checkMaster(nothing), MalformedOpenPgp)
})
