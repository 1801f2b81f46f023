/** What could take the vault down, or leave something open in it, from the files of one account. */
import assert from 'node:assert/strict'
import { mkdir, rm } from 'node:fs/promises'
import { after, test } from 'node:test'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import { BROUGHT_KEYS_MAX } from '../vault/protocol/protocol.ts'
import { AccountFiles } from './account-files.ts'
import { disk } from './durable-files.ts'
import type { ImportWish } from './key-wishes.ts'
import { KeyRefused, PasswordRefused } from './keyring.ts'
import { digestText } from './locked-key-file.ts'

const bench = await keyringBench()
const { keyring } = bench
after(() => bench[Symbol.asyncDispose]())

const owner = () => ({ password: Buffer.from(PASSWORD) })
const code = (expected: string) => (error: unknown) =>
  error instanceof KeyRefused && error.reasons.some((one) => one.code === expected)

async function opened(account: string) {
  const keys = await keyring.unlock(account, Buffer.from(PASSWORD))
  assert.ok(keys)
  return keys
}

const ownKey = (account: string) =>
  generateKeys({ userId: `<${account}@alpha.test>`, algorithm: 'curve25519', created: new Date(Date.now() - 60_000) })

const order = (account: string, tsk: Uint8Array, use: ImportWish['use']): ImportWish => ({
  tsk: Buffer.from(tsk),
  keyPassphrase: null,
  use,
  addsSubkey: false,
  keepsOld: false,
  addresses: [`${account}@alpha.test`],
})

/** As if their owner had brought so many, of this size each. */
async function bring(account: string, count: number, size: number): Promise<void> {
  const files = new AccountFiles(bench.folder.path, account, disk)
  const { generation, digest } = (await files.table()).table
  const facts = { generation, digest: digestText(digest), since: 1, origin: 'brought' } as const
  for (let n = 0; n < count; n++) {
    const fingerprint = n.toString(16).toUpperCase().padStart(40, '0')
    await files.writeLockedKey({ ...facts, fingerprint, certificate: Buffer.alloc(size), locked: Buffer.alloc(size) })
  }
}

test('more keys, or larger ones, than a login can take to the vault are not taken in', async () => {
  for (const [account, count, size] of [
    ['many', BROUGHT_KEYS_MAX, 100],
    ['large', 16, 128 * 1024],
  ] as const) {
    await bench.account(account)
    await bring(account, count, size)
    const { secret } = await ownKey(account)
    await assert.rejects(keyring.importKey(account, owner(), order(account, secret, 'reading')), code('full'))
  }
})

test('an account whose files are too much for the vault does not take it from the others', async () => {
  await bench.account('huge')
  await bench.account('quiet')
  await bring('huge', 40, 128 * 1024)
  await using quiet = await opened('quiet')
  await assert.rejects(keyring.unlock('huge', Buffer.from(PASSWORD)))
  assert.equal((await quiet.indexKey()).byteLength, 32)
})

test('a login that fails when it is let in already holds nothing', async () => {
  await bench.account('app')
  const wish = { label: 'phone', scope: ['imap'], expires: null } as const
  const added = await keyring.addAppPassword('app', owner(), wish)
  const before = (await keyring.status()).handles
  const blocked = bench.folder.join('accounts', 'app', 'blocked')
  await mkdir(blocked)
  await assert.rejects(keyring.unlock('app', Buffer.from(added!.password.reveal())), { code: 'EISDIR' })
  assert.equal((await keyring.status()).handles, before)
  await rm(blocked, { recursive: true })
})

test('sessions end with a vault that dies while it is told to end them', async () => {
  await bench.account('dying')
  await using keys = await opened('dying')
  process.kill(await keyring.vaultPid(), 'SIGKILL')
  await keyring.endSessions('dying')
  assert.equal(keys.ended.aborted, true)
})

test('a passphrase that is too long is refused in words, whatever it is for', async () => {
  await bench.account('long')
  const long = () => ({ ...owner(), passphrase: Buffer.alloc(1025, 'x') })
  const { password, passphrase } = long()
  const next = () => Buffer.from('the next password')
  await assert.rejects(keyring.changePassword('long', password, next(), passphrase), PasswordRefused)
  await assert.rejects(keyring.relink('long', long(), next()), PasswordRefused)
  await assert.rejects(keyring.exportSecretKey('long', long(), next()), PasswordRefused)
  await assert.rejects(keyring.agreeToEscrow('long', long(), (await ownKey('long')).certificate), PasswordRefused)
})

test('the key on a device is not held in secret beside it', async () => {
  await bench.account('device')
  const { secret, certificate } = await ownKey('device')
  const addresses = ['device@alpha.test']
  assert.ok(await keyring.useDeviceCertificate('device', owner(), certificate, addresses))
  await assert.rejects(keyring.importKey('device', owner(), order('device', secret, 'reading')), code('on-device'))
  assert.equal((await keyring.custody('device')).mode, 'device')
  assert.ok(await keyring.importKey('device', owner(), order('device', secret, 'end-to-end')))
  assert.equal((await keyring.custody('device')).mode, 'own')
  const published = (await bench.directory.certificates('device')).find((one) => one.endToEnd)
  assert.equal(published?.custody, 'held')
  assert.deepEqual(Buffer.from(published!.certificate), cleanCertificate(certificate, Date.now()))
})
