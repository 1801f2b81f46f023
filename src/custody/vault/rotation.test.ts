import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { readRevocation } from '#formats/openpgp/revocation.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { masterDigest, openFirst, signTable, slotsOf, TableTampered } from './keyslots.ts'
import type { RequestOf } from './protocol/protocol.ts'
import { decodeTable, encodeTable, type SlotTable } from './protocol/slot-table.ts'
import { SlotsFull } from './slot-changes.ts'
import { Stretcher } from './stretcher.ts'
import { decodeCode, RECOVERY_CODE } from './typed-code.ts'
import { openVault } from './vault.ts'

const CREATED = 1_700_000_000_000
const NONE = Buffer.alloc(0)
const owner = { password: Buffer.from('password'), passphrase: NONE }
const LOGIN = { use: 'imap', now: CREATED } as const
const COST = { memory: 64, passes: 1 }

const vault = openVault({ graceMs: 0, idleMs: 0, ...COST, waiting: 10 }, createFakeClock())

type Key = RequestOf<'unlock'>['keys'][number]

/** An account as the keyring keeps it: its table, and its locked keys with their generations. */
async function newAccount(withKey: 'yes' | 'no' = 'yes') {
  const facts = { account: 'a', userId: '<a@alpha.test>', algorithm: 'curve25519', withKey, created: CREATED } as const
  const made = await vault.create({ ...facts, password: owner.password })
  const keys: Key[] = withKey === 'yes' ? [{ generation: 1, ...made }] : []
  return { table: made.table, keys, certificate: made.certificate, code: made.recoveryCode }
}

function rotation(table: Uint8Array, keys: readonly Key[], changed: Partial<RequestOf<'rotate'>> = {}) {
  const wish = { renews: 'key', userIds: ['<a@alpha.test>', '<b@alpha.test>'], algorithm: 'curve25519' } as const
  return vault.rotate({
    account: 'a',
    table,
    keys,
    ...owner,
    ...wish,
    escrow: 'drop',
    master: NONE,
    created: CREATED + 5000,
    ...changed,
  })
}

async function rotated(...args: Parameters<typeof rotation>) {
  const answer = await rotation(...args)
  assert.ok(answer.kind === 'rotated', answer.kind)
  return answer
}

const pkeskTo = (certificate: Uint8Array) =>
  splitMessage(seal(parseCertificate(certificate).encryptionKeys, Buffer.from('x')).message).pkesks[0]!

async function reads(table: Uint8Array, keys: readonly Key[], certificate: Uint8Array, by = owner): Promise<boolean> {
  const opened = await vault.unlock({ account: 'a', table, keys, ...by, ...LOGIN })
  assert.ok(opened.kind === 'unlocked', opened.kind)
  const [found] = await vault.sessionKeys({ handle: opened.handle, pkesks: [pkeskTo(certificate)] })
  vault.close({ handle: opened.handle })
  return found!.kind === 'key'
}

test('a rotation gives a new AMK and key; old mail stays readable, by every credential there was', async () => {
  const { table, keys, certificate, code } = await newAccount()
  const wish = { scope: 'imap', label: 'phone', created: CREATED, expires: 0, salt: Buffer.alloc(16) }
  const app = await vault.addCode({ account: 'a', table, ...owner, type: 'app', ...wish })
  assert.ok(app.kind === 'added')
  const next = await rotated(app.table, keys)
  const all = [...keys, { generation: 2, ...next }]
  const fresh = decodeTable(next.table)
  assert.equal(fresh.generation, 2)
  assert.equal(fresh.current, next.fingerprint)
  assert.equal(next.ended, 0)
  assert.equal(next.recoveryCode.byteLength, 0)
  assert.deepEqual(parseCertificate(next.certificate).userIds, ['<a@alpha.test>', '<b@alpha.test>'])
  for (const by of [owner, { password: Buffer.from(app.secret), passphrase: NONE }]) {
    assert.ok(await reads(next.table, all, certificate, by))
    assert.ok(await reads(next.table, all, next.certificate, by))
  }
  const recovered = await vault.recover({
    account: 'a',
    table: next.table,
    created: CREATED,
    code,
    next: Buffer.from('another one'),
  })
  assert.equal(recovered.kind, 'changed', 'the recovery code on paper still counts')
})

test('the retired certificate is revoked by its own key, as superseded', async () => {
  const { table, keys, certificate } = await newAccount()
  const { retired, fingerprint } = await rotated(table, keys)
  assert.equal(retired.length, 1)
  assert.equal(retired[0]!.fingerprint, parseCertificate(certificate).fingerprint)
  assert.ok(readRevocation(retired[0]!.revocation, certificate))
  assert.notEqual(fingerprint, retired[0]!.fingerprint)
})

test('the AMK before opens nothing of the new generation', async () => {
  const { table, keys } = await newAccount()
  const next = await rotated(table, keys)
  const stretcher = new Stretcher(COST, 1)
  const [before, after] = [decodeTable(table), decodeTable(next.table)]
  const old = await openFirst(before, slotsOf(before.slots, 'password'), owner.password, stretcher)
  const present = await openFirst(after, slotsOf(after.slots, 'password'), owner.password, stretcher)
  assert.ok(!old!.equals(present!))
  assert.ok(masterDigest(present!).equals(after.digest))
  // what the old AMK could have written is refused: somebody with a backup cannot put the old table in the new one's place
  const forged = signTable({ ...after, slots: before.slots }, old!)
  await assert.rejects(async () => reads(encodeTable(forged), keys, keys[0]!.certificate), TableTampered)
})

test('only the AMK is renewed, or only the key of end to end', async () => {
  const { table, keys, certificate } = await newAccount()
  const renewed = await rotated(table, keys, { renews: 'master' })
  assert.deepEqual([renewed.fingerprint, renewed.locked.byteLength, renewed.retired.length], ['', 0, 0])
  assert.equal(decodeTable(renewed.table).current, parseCertificate(certificate).fingerprint)
  assert.ok(await reads(renewed.table, keys, certificate))
  const other = await rotated(renewed.table, keys, { renews: 'end-to-end' })
  const both = [...keys, { generation: 3, ...other }]
  const { current, endToEnd } = decodeTable(other.table)
  assert.equal(current, parseCertificate(certificate).fingerprint)
  assert.equal(endToEnd?.fingerprint, other.fingerprint)
  assert.equal(other.retired.length, 0, 'the current one goes on')
  const again = await rotated(other.table, both, { renews: 'end-to-end' })
  assert.deepEqual(
    again.retired.map(({ fingerprint }) => fingerprint),
    [other.fingerprint],
  )
  const opened = await vault.unlock({
    account: 'a',
    table: again.table,
    keys: [...both, { generation: 4, ...again }],
    ...owner,
    ...LOGIN,
  })
  assert.ok(opened.kind === 'unlocked')
  assert.equal((await vault.indexKeys({ handle: opened.handle })).length, 4)
})

test('an account without a key gets its first one', async () => {
  const { table } = await newAccount('no')
  const made = await rotated(table, [])
  assert.equal(made.retired.length, 0)
  assert.ok(await reads(made.table, [{ generation: 2, ...made }], made.certificate))
})

test('rotations leave room for a reset, and for leaving escrow', async () => {
  const { table } = await newAccount()
  const master = { renews: 'master', escrow: 'keep' } as const
  let last: Uint8Array = table
  for (let generation = 2; generation <= 52; generation++) last = (await rotated(last, [], master)).table
  await assert.rejects(async () => rotation(last, [], master), SlotsFull)
  last = (await rotated(last, [], { ...master, escrow: 'drop' })).table
  const facts = { account: 'a', userId: '<a@alpha.test>', algorithm: 'curve25519', created: CREATED } as const
  const { generation } = decodeTable(
    (await vault.reset({ ...facts, withKey: 'yes', table: last, password: owner.password })).table,
  )
  assert.equal(generation, 54)
})

test('slots of old tables: the password is locked anew, the recovery code is replaced', async () => {
  const { table, keys, certificate } = await newAccount()
  const old = decodeTable(await oldStyle(table))
  assert.ok(old.slots.every(({ publicKey }) => publicKey.byteLength === 0))
  const next = await rotated(encodeTable(old), keys)
  assert.ok(await reads(next.table, [...keys, { generation: 2, ...next }], certificate))
  assert.equal(next.ended, 0)
  assert.ok(decodeCode(RECOVERY_CODE, next.recoveryCode))
  const request = { account: 'a', table: next.table, created: CREATED, next: Buffer.from('another one') }
  assert.equal((await vault.recover({ ...request, code: next.recoveryCode })).kind, 'changed')
})

/** The table as it was written before slots had a public half. */
async function oldStyle(table: Uint8Array): Promise<Buffer> {
  const { sealOctets } = await import('./aead.ts')
  const { label, sha256, subkey } = await import('./key-derivation.ts')
  const { kdfText } = await import('./protocol/slot-table.ts')
  const stretcher = new Stretcher(COST, 1)
  const parsed = decodeTable(table)
  const amk = await openFirst(parsed, slotsOf(parsed.slots, 'password'), owner.password, stretcher)
  const slots = []
  for (const slot of parsed.slots) {
    const stretched = await stretcher.stretch(owner.password, slot.kdf)
    const kek = subkey(stretched, label('kek', 'a', slot.id, 1))
    const { id, type, scope, kdf, sequence } = slot
    const context = label('letterlock keyslot 1', 'a', id, type, scope, kdfText(kdf), 1, sequence)
    const verifier = sha256(subkey(stretched, label('auth', 'a', id, 1)))
    slots.push({ ...slot, verifier, publicKey: NONE, wrapped: sealOctets(kek, amk!, context) })
  }
  return encodeTable(signTable({ ...(parsed as SlotTable), slots }, amk!))
}

test('a wrong owner rotates and revokes nothing; a key that is not there is not revoked', async () => {
  const { table, keys, certificate } = await newAccount()
  const wrong = { password: Buffer.from('wrong password') }
  assert.deepEqual(await rotation(table, keys, wrong), { kind: 'wrong' })
  const { fingerprint } = parseCertificate(certificate)
  const request = { account: 'a', table, keys, ...owner, fingerprint, reason: 2, text: 'stolen', created: CREATED }
  assert.deepEqual(await vault.revokeKey({ ...request, ...wrong }), { kind: 'wrong' })
  assert.deepEqual(await vault.revokeKey({ ...request, fingerprint: 'AA' }), { kind: 'unknown' })
  const answer = await vault.revokeKey(request)
  assert.ok(answer.kind === 'revoked')
  assert.ok(readRevocation(answer.revocation, certificate))
})
