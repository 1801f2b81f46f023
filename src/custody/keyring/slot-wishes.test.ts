/** App passwords, recovery codes and the passphrase over the files and a real vault process. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { silentLogger } from '#lib/log.ts'
import { keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import type { AuditRecord } from '../audit/audit-log.ts'
import type { AppPasswordWish } from './key-wishes.ts'
import {
  AppPasswordRefused,
  type CredentialUse,
  type Keyring,
  PassphraseNeeded,
  PasswordRefused,
  type UnlockedKeys,
} from './keyring.ts'
import { LastUses } from './last-uses.ts'

const recorded: AuditRecord[] = []
const audit = { record: async (entry: AuditRecord) => void recorded.push(entry) }
const bench = await keyringBench({ audit })
const { keyring } = bench
after(() => bench[Symbol.asyncDispose]())

const owner = (password = PASSWORD) => ({ password: Buffer.from(password) })
const PHONE: AppPasswordWish = { label: 'phone', scope: ['imap', 'smtp'], expires: null }

async function addedTo(account: string, wish: AppPasswordWish = PHONE) {
  const added = await keyring.addAppPassword(account, owner(), wish)
  assert.ok(added)
  return { id: added.id, password: added.password.reveal() }
}

async function opened(account: string, password: string, use: CredentialUse = 'imap'): Promise<UnlockedKeys> {
  const keys = await keyring.unlock(account, Buffer.from(password), { use })
  assert.ok(keys, `${account} opens`)
  return keys
}

async function opens(account: string, password: string, by: Keyring = keyring): Promise<boolean> {
  const keys = await by.unlock(account, Buffer.from(password))
  await keys?.[Symbol.asyncDispose]()
  return keys !== null
}

test('an app password is listed with its rights, opens for them, and its revocation ends its sessions alone', async () => {
  await bench.account('a')
  const phone = await addedTo('a', { ...PHONE, scope: ['smtp', 'imap'] })
  const laptop = await addedTo('a', { label: 'laptop', scope: ['imap'], expires: 4_000_000_000_000 })
  const listed = (await keyring.keyslots('a')).filter(({ type }) => type === 'app')
  assert.deepEqual(
    listed.map(({ id, label, scope, expires, isBlocked, lastUse }) => [id, label, scope, expires, isBlocked, lastUse]),
    [
      [phone.id, 'phone', ['imap', 'smtp'], null, false, null],
      [laptop.id, 'laptop', ['imap'], 4_000_000_000_000, false, null],
    ],
  )
  assert.equal(await keyring.unlock('a', Buffer.from(laptop.password), { use: 'smtp' }), null)
  await using byPhone = await opened('a', phone.password)
  await using byLaptop = await opened('a', laptop.password)
  await using byOwner = await opened('a', PASSWORD)
  assert.deepEqual([byPhone.slot, byPhone.reads, byPhone.signs], [phone.id, true, false])
  assert.equal(await keyring.revokeAppPasswords('a', owner(), [phone.id]), true)
  assert.deepEqual([byPhone.ended.aborted, byLaptop.ended.aborted, byOwner.ended.aborted], [true, false, false])
  assert.deepEqual([await opens('a', phone.password), await opens('a', laptop.password)], [false, true])
  assert.ok(
    recorded.some(
      ({ event, actor, detail }) =>
        event === 'app-password.revoked' && actor === 'owner' && detail['slots'] === phone.id,
    ),
  )
})

test('the operator blocks without the owner: wrong at once, at the usual price, and gone with the next change', async () => {
  await bench.account('b')
  const [phone, laptop] = [await addedTo('b'), await addedTo('b')]
  await using byPhone = await opened('b', phone.password)
  await using byLaptop = await opened('b', laptop.password)
  await keyring.blockSlots('b', [phone.id])
  assert.deepEqual([byPhone.ended.aborted, byLaptop.ended.aborted], [true, false])
  const before = (await keyring.status()).stretches
  assert.equal(await opens('b', phone.password), false)
  assert.equal((await keyring.status()).stretches, before + 1)
  assert.equal(await opens('b', laptop.password), true)
  const isListed = async () => (await keyring.keyslots('b')).find(({ id }) => id === phone.id)?.isBlocked
  assert.equal(await isListed(), true)
  for (const { id, type } of await keyring.keyslots('b')) {
    if (type !== 'app') await assert.rejects(keyring.blockSlots('b', [id]), AppPasswordRefused)
  }
  assert.equal(await keyring.changePassword('b', Buffer.from(PASSWORD), Buffer.from('the next password')), true)
  assert.equal(await isListed(), undefined)
  assert.equal(await opens('b', phone.password), false)
  assert.equal(await opens('b', laptop.password), true)
  assert.equal((await stat(bench.folder.join('accounts', 'b', 'blocked'))).size, 0)
})

test('what is blocked is not taken along into a new generation', async () => {
  await bench.account('b3')
  const [phone, laptop] = [await addedTo('b3'), await addedTo('b3')]
  await keyring.blockSlots('b3', [phone.id])
  const wish = { userIds: ['<b3@alpha.test>'], algorithm: 'curve25519' } as const
  assert.equal(await keyring.rotateKey('b3', owner('a wrong password'), wish), null)
  assert.ok(await keyring.rotateKey('b3', owner(), wish))
  const apps = (await keyring.keyslots('b3')).filter(({ type }) => type === 'app')
  assert.deepEqual(
    apps.map(({ id }) => id),
    [laptop.id],
  )
  assert.equal(await opens('b3', laptop.password), true)
})

test('a table is mended for who opened it, and not for who has only proved themselves', async () => {
  await bench.account('h')
  const sender = await addedTo('h', { ...PHONE, scope: ['smtp'] })
  const copy = bench.folder.join('accounts', 'h', 'keyslots.b')
  await writeFile(copy, 'damaged')
  await (await opened('h', sender.password, 'smtp'))[Symbol.asyncDispose]()
  assert.equal(await readFile(copy, 'utf8'), 'damaged')
  await (await opened('h', PASSWORD))[Symbol.asyncDispose]()
  assert.deepEqual(await readFile(copy), await readFile(bench.folder.join('accounts', 'h', 'keyslots.a')))
})

test('a block that somebody wrote over the password locks nobody out', async () => {
  await bench.account('b2')
  const ids = (await keyring.keyslots('b2')).map(({ id }) => id)
  await writeFile(bench.folder.join('accounts', 'b2', 'blocked'), ids.join('\n'))
  assert.equal(await opens('b2', PASSWORD), true)
  assert.equal(await keyring.changePassword('b2', Buffer.from(PASSWORD), Buffer.from('the next password')), true)
})

test('what cannot be an app password is refused in words, and nothing is asked of the vault', async () => {
  await bench.account('c')
  const { id } = await addedTo('c')
  const wishes: [AppPasswordWish, RegExp][] = [
    [{ ...PHONE, scope: [] }, /one of them at least/],
    [{ ...PHONE, scope: ['sign'] }, /one of them at least/],
    [{ ...PHONE, scope: ['imap', 'ftp'] }, /imap, pop3, smtp, jmap/],
    [{ ...PHONE, label: '' }, /label/],
    [{ ...PHONE, label: 'a\u202eb' }, /label/],
    [{ ...PHONE, expires: 1 }, /expired/],
  ]
  for (const [wish, words] of wishes) {
    await assert.rejects(keyring.addAppPassword('c', owner(), wish), (error: Error) => {
      assert.ok(error instanceof AppPasswordRefused)
      assert.match(error.message, words)
      return true
    })
  }
  await assert.rejects(keyring.revokeAppPasswords('c', owner(), ['unknown']), AppPasswordRefused)
  for (const wrong of ['wrong password', 'x'.repeat(1024)]) {
    assert.equal(await keyring.addAppPassword('c', owner(wrong), PHONE), null)
    assert.equal(await keyring.revokeAppPasswords('c', owner(wrong), [id]), false)
    assert.equal(await keyring.reissueRecoveryCode('c', owner(wrong)), null)
    assert.equal(await keyring.setPassphrase('c', owner(wrong), Buffer.from('a passphrase')), false)
  }
  await assert.rejects(keyring.setPassphrase('c', owner(), Buffer.from('short')), PasswordRefused)
})

test('a new recovery code ends the one before; the secrets that were shown are wiped', async () => {
  const { recoveryCode } = await bench.account('d')
  const shown = owner()
  const fresh = await keyring.reissueRecoveryCode('d', shown)
  assert.ok(fresh)
  assert.ok(shown.password.every((octet) => octet === 0))
  const next = () => Buffer.from('the next password')
  assert.equal(await keyring.recover('d', Buffer.from(recoveryCode.reveal()), next()), null)
  assert.ok(await keyring.recover('d', Buffer.from(fresh.reveal()), next()))
  assert.deepEqual([await opens('d', 'the next password'), await opens('d', PASSWORD)], [true, false])
})

test('a passphrase makes the password alone say so, everywhere; app passwords go on', async () => {
  await bench.account('e')
  const phone = await addedTo('e')
  await using before = await opened('e', PASSWORD)
  assert.equal(await keyring.setPassphrase('e', owner(), Buffer.from('a passphrase')), true)
  assert.equal(before.ended.aborted, true)
  await assert.rejects(keyring.unlock('e', Buffer.from(PASSWORD)), PassphraseNeeded)
  await assert.rejects(
    keyring.changePassword('e', Buffer.from(PASSWORD), Buffer.from('the next one')),
    PassphraseNeeded,
  )
  assert.equal(await opens('e', 'wrong password'), false)
  assert.equal(await opens('e', phone.password), true)
  const both = () => ({ password: Buffer.from(PASSWORD), passphrase: Buffer.from('a passphrase') })
  assert.ok(await keyring.exportSecretKey('e', both(), Buffer.from('a lock for export')))
  const { password, passphrase } = both()
  assert.equal(await keyring.changePassword('e', password, Buffer.from('the next password'), passphrase), true)
  const changed = { password: Buffer.from('the next password'), passphrase: Buffer.from('a passphrase') }
  assert.equal(await keyring.setPassphrase('e', changed, null), true)
  assert.equal(await opens('e', 'the next password'), true)
  assert.deepEqual((await keyring.keyslots('e')).map(({ type }) => type).sort(), ['app', 'password', 'recovery'])
})

test('a change of password and a new app password at once, by two processes: as if one came after the other', async () => {
  await using other = await bench.another()
  for (const account of ['f0', 'f1', 'f2']) {
    await bench.account(account)
    const [isChanged, added] = await Promise.all([
      keyring.changePassword(account, Buffer.from(PASSWORD), Buffer.from('the next password')),
      other.addAppPassword(account, owner(), PHONE),
    ])
    assert.equal(isChanged, true)
    assert.deepEqual(
      [await opens(account, 'the next password', other), await opens(account, PASSWORD, other)],
      [true, false],
    )
    if (added) assert.equal(await opens(account, added.password.reveal()), true)
    const kept = (await keyring.keyslots(account)).filter(({ type }) => type === 'app').length
    assert.equal(kept, added ? 1 : 0)
  }
})

test('the last use of an app password is kept to the hour, and no login waits for it', async () => {
  const accounts = bench.folder.join('accounts', 'g')
  await bench.account('g')
  const { id, password } = await addedTo('g')
  {
    await using another = await bench.another()
    assert.equal(await opens('g', password, another), true)
  }
  const [use] = (await keyring.keyslots('g')).filter((slot) => slot.id === id).map(({ lastUse }) => lastUse)
  assert.ok(use)
  const uses = new LastUses(bench.folder.path, silentLogger)
  uses.note('g', 'other', 1000)
  uses.note('g', 'other', 3_600_999)
  await uses[Symbol.asyncDispose]()
  assert.deepEqual(
    [...(await uses.of('g'))],
    [
      [id, use],
      ['other', 1000],
    ],
  )
  uses.note('g', 'other', 3_601_000)
  await uses[Symbol.asyncDispose]()
  assert.equal((await uses.of('g')).get('other'), 3_601_000)
  assert.equal((await stat(`${accounts}/last-use.json`)).mode & 0o077, 0)
  await writeFile(`${accounts}/last-use.json`, 'damaged')
  assert.equal((await keyring.keyslots('g')).find((slot) => slot.id === id)?.lastUse, null)
  uses.note('gone', 'slot', 5000)
  await uses[Symbol.asyncDispose]()
})
