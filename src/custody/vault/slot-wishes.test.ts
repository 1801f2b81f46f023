/** App passwords, the recovery code and the passphrase, as the vault keeps them; no process is started. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { admitOwner, type Credential, type CredentialUse } from './credentials.ts'
import { signTable, TableTampered } from './keyslots.ts'
import { WeakPassword } from './password-rules.ts'
import { MalformedFrame } from './protocol/codec.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import { PROTOCOL_WORDS, rightsOf, scopeText, scopeWords } from './protocol/scope.ts'
import { decodeTable, encodeTable, SLOTS_MAX } from './protocol/slot-table.ts'
import { SlotsFull } from './slot-changes.ts'
import { Stretcher } from './stretcher.ts'
import { Forbidden, HandleClosed } from './unlocked-accounts.ts'
import { openVault } from './vault.ts'

const NOW = 1_800_000_000_000
const account = 'a'
const NONE = Buffer.alloc(0)
const PASSWORD = Buffer.from('correct horse')
const owner: Credential = { password: PASSWORD, passphrase: NONE }
const SALT = Buffer.alloc(16, 7)
const EVERYTHING = 'imap,pop3,smtp,jmap,sign'

/** A vault with one account; `table` moves on with each change. */
async function bench() {
  const clock: FakeClock = createFakeClock(NOW)
  const vault = openVault({ graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 10 }, clock)
  const made = await vault.create({
    account,
    userId: '<a@alpha.test>',
    algorithm: 'curve25519',
    withKey: 'yes',
    created: NOW,
    password: PASSWORD,
  })
  const keys = [{ generation: 1, ...made }]
  const house = {
    vault,
    clock,
    keys,
    table: made.table as Uint8Array,
    recoveryCode: made.recoveryCode,
    async add(wish: Partial<RequestOf<'addCode'>> = {}) {
      const salt = wish.type === 'recovery' ? NONE : SALT
      const standard = { type: 'app', scope: EVERYTHING, label: 'phone', created: NOW, expires: 0, salt } as const
      const answer = await vault.addCode({ account, table: house.table, ...owner, ...standard, ...wish })
      assert.ok(answer.kind === 'added')
      house.table = answer.table
      return answer
    },
    async unlock(password: Uint8Array, use: CredentialUse = 'imap', passphrase: Uint8Array = NONE) {
      return vault.unlock({ account, table: house.table, keys, password, passphrase, use, now: clock.now() })
    },
    /** The table as it is once `changed` was read back. */
    async settled(changed: { readonly table: Uint8Array }, by: Credential = owner) {
      const answer = await vault.settle({ account, table: changed.table, ...by })
      assert.ok(answer.kind === 'changed')
      house.table = answer.table
    },
  }
  return house
}

function opened(answer: AnswerOf<'unlock'>) {
  assert.ok(answer.kind === 'unlocked')
  return answer
}

test('an app password is for what its scope says and for nothing else', async () => {
  const house = await bench()
  const uses: readonly CredentialUse[] = ['imap', 'pop3', 'smtp', 'jmap', 'owner']
  const scopes = ['imap', 'pop3', 'jmap', 'smtp', 'smtp,sign', 'imap,smtp', EVERYTHING]
  for (const scope of scopes) {
    const { secret, slot } = await house.add({ scope })
    for (const use of uses) {
      const answer = await house.unlock(secret, use)
      assert.equal(answer.kind, scope.split(',').includes(use) ? 'unlocked' : 'wrong', `${scope} for ${use}`)
      if (answer.kind !== 'unlocked') continue
      assert.equal(answer.slot, slot)
      const { reads, signs } = rightsOf(scope)
      assert.deepEqual([answer.reads, answer.signs], [reads ? 'yes' : 'no', signs ? 'yes' : 'no'])
      const read = async () => house.vault.indexKeys({ handle: answer.handle })
      const content = { handle: answer.handle, content: Buffer.from('x'), created: NOW }
      const sign = async () => house.vault.sign({ ...content, purpose: 'mail', recipients: [] })
      await (reads ? read() : assert.rejects(read, Forbidden))
      await (signs ? sign() : assert.rejects(sign, Forbidden))
      house.vault.close({ handle: answer.handle })
    }
  }
})

test('one that may neither read nor sign wraps nothing, so that it opens nothing wherever the table goes', async () => {
  const house = await bench()
  await house.add({ scope: 'smtp' })
  await house.add({ scope: 'smtp,sign' })
  const wrapped = decodeTable(house.table)
    .slots.filter(({ type }) => type === 'app')
    .map((slot) => slot.wrapped.byteLength > 0)
  assert.deepEqual(wrapped, [false, true])
})

test('a scope is one text for one set of rights, and has a protocol', () => {
  const words = fc.array(fc.constantFrom(...PROTOCOL_WORDS, 'sign'), { maxLength: 8 })
  fc.assert(
    fc.property(words, (list) => {
      const text = scopeText(list)
      if (text === null) return assert.ok(list.every((word) => word === 'sign'))
      assert.deepEqual(new Set(scopeWords(text)), new Set(list))
      assert.equal(scopeText(scopeWords(text).toReversed()), text)
    }),
  )
  assert.equal(scopeText(['imap', 'ftp']), null)
})

test('what is not an app password or a recovery code is not made', async () => {
  const house = await bench()
  const app = { type: 'app', scope: 'imap', label: 'x' } as const
  const wishes: Partial<RequestOf<'addCode'>>[] = [
    { ...app, scope: '' },
    { ...app, scope: 'sign' },
    { ...app, scope: 'smtp,imap' },
    { ...app, scope: 'imap,everything' },
    { ...app, label: '' },
    { ...app, label: 'two\nlines' },
    { ...app, label: 'x'.repeat(65) },
    { type: 'recovery', scope: 'imap', label: '' },
    { type: 'recovery', scope: '', label: '', expires: NOW + 1 },
  ]
  for (const wish of wishes) await assert.rejects(house.add(wish), MalformedFrame, JSON.stringify(wish))
})

test('each is revoked alone, and what its owner logs in with is not revoked this way', async () => {
  const house = await bench()
  const [phone, laptop] = [await house.add(), await house.add({ label: 'laptop' })]
  const slots = decodeTable(house.table).slots
  const drop = (ids: readonly string[]) =>
    house.vault.dropSlots({ account, table: house.table, ...owner, slots: [...ids] })
  for (const { id } of slots.filter(({ type }) => type !== 'app')) {
    await assert.rejects(async () => drop([phone.slot, id]), Forbidden)
  }
  const dropped = await drop([phone.slot, 'unknown'])
  assert.ok(dropped.kind === 'changed')
  house.table = dropped.table
  assert.equal((await house.unlock(phone.secret)).kind, 'wrong')
  opened(await house.unlock(laptop.secret))
  opened(await house.unlock(PASSWORD))
})

test('it expires: at the door, when it is recognised again, and under a session that lives', async () => {
  const house = await bench()
  const { secret } = await house.add({ expires: NOW + 1000 })
  const forever = await house.add()
  await house.clock.advance(999)
  const { handle } = opened(await house.unlock(secret))
  await house.vault.indexKeys({ handle })
  const other = opened(await house.unlock(forever.secret))
  await house.clock.advance(1)
  assert.equal((await house.unlock(secret)).kind, 'wrong')
  await assert.rejects(async () => house.vault.indexKeys({ handle }), HandleClosed)
  await house.vault.indexKeys(other)
})

test('whatever its form, a wrong one costs what a wrong password costs, and a right one nothing', async () => {
  const house = await bench()
  const { secret } = await house.add({ scope: 'imap' })
  const expired = await house.add({ scope: 'imap', expires: NOW + 1 })
  await house.clock.advance(1)
  const foreign = await (await bench()).add()
  const cost = async (password: Uint8Array, use: CredentialUse = 'imap') => {
    const before = (await house.vault.status({})).stretches
    const { kind } = await house.unlock(password, use)
    return [kind, (await house.vault.status({})).stretches - before]
  }
  assert.deepEqual(await cost(Buffer.from('wrong password')), ['wrong', 1])
  assert.deepEqual(await cost(foreign.secret), ['wrong', 1])
  assert.deepEqual(await cost(expired.secret), ['wrong', 1])
  assert.deepEqual(await cost(secret, 'smtp'), ['wrong', 1])
  assert.deepEqual(await cost(secret, 'owner'), ['wrong', 1])
  assert.deepEqual(await cost(secret), ['unlocked', 0])
})

test('an app password changes nothing', async () => {
  const house = await bench()
  const { secret } = await house.add()
  const by = { account, table: house.table, password: secret, passphrase: NONE, created: NOW }
  const next = Buffer.from('the next password')
  for (const answer of [
    await house.vault.changePassword({ ...by, next }),
    await house.vault.setPassphrase({ ...by, next }),
    await house.vault.addCode({ ...by, type: 'app', scope: 'imap', label: 'x', expires: 0, salt: SALT }),
    await house.vault.dropSlots({ ...by, slots: [] }),
    await house.vault.exportKeys({ ...by, keys: [], lock: next }),
  ]) {
    assert.deepEqual(answer, { kind: 'wrong' })
  }
})

test('its scope, label and expiry are under the lock: who changes them opens nothing', async () => {
  const house = await bench()
  const { secret, slot } = await house.add({ scope: 'imap', expires: NOW + 1000 })
  const table = decodeTable(house.table)
  for (const change of [{ scope: EVERYTHING }, { label: 'laptop' }, { expires: null }, { expires: NOW + 2000 }]) {
    const slots = table.slots.map((one) => (one.id === slot ? { ...one, ...change } : one))
    house.table = encodeTable({ ...table, slots })
    await assert.rejects(house.unlock(secret), TableTampered, JSON.stringify(change))
  }
})

test('app passwords stop short of a full table, so that a password can still be changed', async () => {
  const house = await bench()
  await house.add()
  house.table = await filledUp(house.table, SLOTS_MAX - 5)
  await house.add()
  await assert.rejects(house.add(), SlotsFull)
  const next = Buffer.from('the next password')
  const changed = await house.vault.changePassword({ account, table: house.table, ...owner, created: NOW, next })
  assert.ok(changed.kind === 'changed')
})

/** As if the owner had made so many slots. */
async function filledUp(octets: Uint8Array, count: number): Promise<Uint8Array> {
  const table = decodeTable(octets)
  const admitted = await admitOwner(table, owner, new Stretcher({ memory: 64, passes: 1 }, 1))
  assert.ok(admitted.kind === 'owner')
  const app = table.slots.at(-1)!
  const more = Array.from({ length: count - table.slots.length }, (_, index) => ({ ...app, id: `filler${index}` }))
  return encodeTable(signTable({ ...table, slots: [...table.slots, ...more] }, admitted.amk))
}

test('they go over into a new generation as they are, and what each may do goes with it', async () => {
  const house = await bench()
  const made: Uint8Array[] = []
  for (const scope of ['imap', 'smtp', 'smtp,sign']) made.push((await house.add({ scope, expires: NOW + 1000 })).secret)
  const rotated = await house.vault.rotate({
    account,
    table: house.table,
    keys: house.keys,
    ...owner,
    renews: 'master',
    userIds: ['<a@alpha.test>'],
    algorithm: 'curve25519',
    escrow: 'keep',
    master: NONE,
    created: NOW,
  })
  assert.ok(rotated.kind === 'rotated')
  house.table = rotated.table
  const answers = async (use: CredentialUse) => {
    const kinds = []
    for (const secret of made) kinds.push((await house.unlock(secret, use)).kind)
    return kinds
  }
  assert.deepEqual(await answers('imap'), ['unlocked', 'wrong', 'wrong'])
  assert.deepEqual(await answers('smtp'), ['wrong', 'unlocked', 'unlocked'])
  await house.clock.advance(1000)
  assert.deepEqual(await answers('smtp'), ['wrong', 'wrong', 'wrong'])
})

test('a new recovery code takes over once it is settled, and both open until then', async () => {
  const house = await bench()
  const added = await house.add({ type: 'recovery', scope: '', label: '' })
  const next = Buffer.from('the next password')
  const recover = async (code: Uint8Array) =>
    (await house.vault.recover({ account, table: house.table, created: NOW, code, next })).kind
  assert.deepEqual([await recover(house.recoveryCode), await recover(added.secret)], ['changed', 'changed'])
  await house.settled(added)
  assert.deepEqual([await recover(house.recoveryCode), await recover(added.secret)], ['wrong', 'changed'])
})

const FIRST = Buffer.from('the first passphrase')
const SECOND = Buffer.from('the second passphrase')

test('a passphrase is asked for in addition: set, changed, ended', async () => {
  const house = await bench()
  const { secret } = await house.add({ scope: 'imap' })
  const set = async (by: Credential, next: Buffer) => {
    const answer = await house.vault.setPassphrase({ account, table: house.table, ...by, next, created: NOW })
    assert.ok(answer.kind === 'changed')
    await house.settled(answer, { ...by, passphrase: next })
  }
  const answers = async () => {
    const kinds = []
    for (const passphrase of [NONE, FIRST, SECOND]) kinds.push((await house.unlock(PASSWORD, 'owner', passphrase)).kind)
    return kinds
  }
  assert.deepEqual(await answers(), ['unlocked', 'unlocked', 'unlocked'], 'one that nobody wants is not looked at')
  await set(owner, FIRST)
  assert.deepEqual(await answers(), ['passphrase', 'unlocked', 'wrong'])
  assert.equal((await house.unlock(Buffer.from('wrong password'), 'imap', FIRST)).kind, 'wrong')
  opened(await house.unlock(secret))
  await set({ ...owner, passphrase: FIRST }, SECOND)
  assert.deepEqual(await answers(), ['passphrase', 'wrong', 'unlocked'])
  await set({ ...owner, passphrase: SECOND }, NONE)
  assert.deepEqual(await answers(), ['unlocked', 'unlocked', 'unlocked'])
  assert.equal(decodeTable(house.table).slots.filter(({ type }) => type === 'passphrase').length, 0)
})

test('a passphrase is as long as a password, and needs the password and the one before', async () => {
  const house = await bench()
  const request = () => ({ account, table: house.table, created: NOW, next: FIRST })
  await assert.rejects(
    async () => house.vault.setPassphrase({ ...request(), ...owner, next: Buffer.from('seven77') }),
    WeakPassword,
  )
  const wrong = { password: Buffer.from('wrong password'), passphrase: NONE }
  assert.deepEqual(await house.vault.setPassphrase({ ...request(), ...wrong }), { kind: 'wrong' })
  const answer = await house.vault.setPassphrase({ ...request(), ...owner })
  assert.ok(answer.kind === 'changed')
  await house.settled(answer, { ...owner, passphrase: FIRST })
  assert.deepEqual(await house.vault.setPassphrase({ ...request(), ...owner }), { kind: 'passphrase' })
  const misremembered = { ...owner, passphrase: SECOND }
  assert.deepEqual(await house.vault.setPassphrase({ ...request(), ...misremembered }), { kind: 'wrong' })
})

test('an interrupted end of a passphrase does not let the next change make one of what was typed', async () => {
  const house = await bench()
  const set = await house.vault.setPassphrase({ account, table: house.table, ...owner, next: FIRST, created: NOW })
  assert.ok(set.kind === 'changed')
  await house.settled(set, { ...owner, passphrase: FIRST })
  const by = { account, created: NOW, ...owner, passphrase: FIRST }
  const ended = await house.vault.setPassphrase({ ...by, table: house.table, next: NONE })
  assert.ok(ended.kind === 'changed')
  const next = Buffer.from('the next password')
  const typo = Buffer.from('the frist passphrase')
  const changed = await house.vault.changePassword({ ...by, table: ended.table, passphrase: typo, next })
  assert.ok(changed.kind === 'changed')
  await house.settled(changed, { ...owner, password: next })
  opened(await house.unlock(next, 'owner'))
})

test('the recovery code opens without the passphrase, and ends it', async () => {
  const house = await bench()
  const set = await house.vault.setPassphrase({ account, table: house.table, ...owner, next: FIRST, created: NOW })
  assert.ok(set.kind === 'changed')
  await house.settled(set, { ...owner, passphrase: FIRST })
  const next = Buffer.from('the next password')
  const code = house.recoveryCode
  const recovered = await house.vault.recover({ account, table: house.table, created: NOW, code, next })
  assert.ok(recovered.kind === 'changed')
  await house.settled(recovered, { ...owner, password: next })
  opened(await house.unlock(next))
})
