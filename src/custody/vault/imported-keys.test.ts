import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { loadEngine } from '#formats/openpgp/engine.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { parsePublicPart } from '#formats/openpgp/key-packet.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { PacketType } from '#formats/openpgp/openpgp.ts'
import { packet, readPackets } from '#formats/openpgp/packets.ts'
import type { Bytes } from '#lib/bytes.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { type RequestOf, STATEMENT } from './protocol/protocol.ts'
import { decodeTable } from './protocol/slot-table.ts'
import { Forbidden } from './unlocked-accounts.ts'
import { openVault } from './vault.ts'

const CREATED = 1_700_000_000_000
const NOW = CREATED + 60_000
const NONE = Buffer.alloc(0)
const owner = { password: Buffer.from('password'), passphrase: NONE }
const vault = openVault({ graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 10 }, createFakeClock())
const facts = { account: 'a', userId: '<a@alpha.test>', algorithm: 'curve25519', withKey: 'yes' } as const
const made = await vault.create({ ...facts, created: CREATED, password: owner.password })
const own = await generateKeys({ userId: 'A <a@alpha.test>', algorithm: 'curve25519', created: new Date(CREATED) })

const importing = (tsk: Uint8Array, changed: Partial<RequestOf<'importKey'>> = {}) =>
  vault.importKey({
    account: 'a',
    table: made.table,
    ...owner,
    tsk,
    keyPassphrase: NONE,
    use: 'both',
    addsSubkey: 'no',
    addresses: ['a@alpha.test'],
    created: NOW,
    ...changed,
  })

const whyOf = async (...args: Parameters<typeof importing>) => {
  const answer = await importing(...args)
  return answer.kind === 'unreadable' ? answer.why : answer.kind
}

test('an own key is locked under the AMK, and named by the table as its use says', async () => {
  const { fingerprint } = parseCertificate(own.certificate)
  for (const use of ['both', 'end-to-end', 'reading'] as const) {
    const answer = await importing(own.secret, { use })
    assert.ok(answer.kind === 'imported')
    const { current, endToEnd } = decodeTable(answer.table)
    assert.equal(current, use === 'both' ? fingerprint : made.fingerprint)
    assert.equal(endToEnd?.fingerprint, use === 'end-to-end' ? fingerprint : undefined)
    assert.equal(answer.revocation.byteLength, 0)
    const keys = [answer, made].map((key) => ({ ...key, generation: 1 }))
    const login = { ...owner, use: 'imap', now: NOW } as const
    const opened = await vault.unlock({ account: 'a', table: answer.table, keys, ...login })
    assert.ok(opened.kind === 'unlocked')
    // both keys sign what they are for
    await vault.sign({ handle: opened.handle, content: NONE, purpose: 'mail', created: NOW, recipients: [] })
    await vault.sign({ handle: opened.handle, content: STATEMENT, purpose: 'statement', created: NOW, recipients: [] })
  }
})

test('a key that has expired signs nothing, and it is said so', async () => {
  const engine = await loadEngine()
  const brief = await engine.generateKey({
    userIDs: [{ email: 'a@alpha.test' }],
    date: new Date(CREATED),
    keyExpirationTime: 86_400,
    format: 'binary',
  })
  const answer = await importing(brief.privateKey)
  assert.ok(answer.kind === 'imported')
  const keys = [answer, made].map((key) => ({ ...key, generation: 1 }))
  const opened = await vault.unlock({ account: 'a', table: answer.table, keys, ...owner, use: 'imap', now: NOW })
  assert.ok(opened.kind === 'unlocked')
  const request = { handle: opened.handle, content: NONE, purpose: 'mail', recipients: [] } as const
  await vault.sign({ ...request, created: NOW })
  await assert.rejects(async () => vault.sign({ ...request, created: CREATED + 2 * 86_400_000 }), Forbidden)
})

test('no mail is signed as a statement, no statement as mail, and statements by the owner in person alone', async () => {
  const wish = {
    type: 'app',
    scope: 'imap,sign',
    label: 'phone',
    created: NOW,
    expires: 0,
    salt: Buffer.alloc(16),
  } as const
  const added = await vault.addCode({ account: 'a', table: made.table, ...owner, ...wish })
  assert.ok(added.kind === 'added')
  const request = {
    account: 'a',
    table: added.table,
    keys: [{ ...made, generation: 1 }],
    use: 'imap',
    now: NOW,
  } as const
  const inPerson = await vault.unlock({ ...request, ...owner })
  const byApp = await vault.unlock({ ...request, password: added.secret, passphrase: NONE })
  assert.ok(inPerson.kind === 'unlocked' && byApp.kind === 'unlocked')
  const sign = async (handle: number, content: Bytes, purpose: 'mail' | 'statement') =>
    vault.sign({ handle, content, purpose, created: NOW, recipients: [] })
  const statement = Buffer.concat([STATEMENT, Buffer.from('consent 1"}')])
  await sign(byApp.handle, Buffer.from('mail'), 'mail')
  await sign(inPerson.handle, statement, 'statement')
  for (const refused of [
    sign(inPerson.handle, statement, 'mail'),
    sign(inPerson.handle, Buffer.from('mail'), 'statement'),
    sign(byApp.handle, statement, 'statement'),
    sign(byApp.handle, statement, 'mail'),
  ])
    await assert.rejects(refused, Forbidden)
})

test('a locked key needs its passphrase', async () => {
  const locked = Buffer.from(await lockForExport(own.secret, Buffer.from('passphrase')))
  assert.equal(await whyOf(locked), 'locked')
  assert.equal(await whyOf(locked, { keyPassphrase: Buffer.from('another') }), 'wrong passphrase')
  assert.equal((await importing(locked, { keyPassphrase: Buffer.from('passphrase') })).kind, 'imported')
})

test('what is no secret key, or whose halves do not match, is told apart', async () => {
  assert.equal(await whyOf(Buffer.from('Subject: hello\r\n\r\n')), 'not a secret key')
  assert.equal(await whyOf(own.certificate), 'not a secret key')
  assert.equal(await whyOf(own.secret.subarray(0, 100)), 'not a secret key')
  const other = await generateKeys({ userId: 'A <a@alpha.test>', algorithm: 'curve25519', created: new Date(CREATED) })
  assert.equal(await whyOf(withSecretOf(own.secret, other.secret)), 'halves do not match')
})

/** The public half of one key before the secret half of another. */
function withSecretOf(tsk: Uint8Array, other: Uint8Array): Buffer {
  const [first, ...rest] = [...readPackets(tsk)]
  const [strange] = readPackets(other)
  const open = parsePublicPart(first!.body).key.body
  const secret = strange!.body.subarray(parsePublicPart(strange!.body).key.body.length)
  return Buffer.concat([packet(PacketType.secretKey, open, secret), ...rest.map(({ octets }) => octets)])
}

test('a foreign address is refused with what the reasons are told by', async () => {
  const answer = await importing(own.secret, { addresses: ['b@alpha.test'] })
  assert.ok(answer.kind === 'refused')
  assert.equal(parseCertificate(answer.certificate).fingerprint, parseCertificate(own.certificate).fingerprint)
  assert.equal(answer.held.length, 2)
})

test('10,000 signatures of others cost little and are left behind; what is over all limits is refused', async () => {
  const packets = [...readPackets(own.secret)]
  const at = packets.findIndex(({ type }) => type === PacketType.signature)
  const forged = Buffer.from(packets[at]!.body)
  forged[forged.length - 1]! ^= 1
  const junk = Buffer.concat(Array.from({ length: 10_000 }, () => packet(PacketType.signature, forged)))
  const octets = packets.map((one) => one.octets)
  const answer = await importing(Buffer.concat([...octets.slice(0, at + 1), junk, ...octets.slice(at + 1)]))
  assert.ok(answer.kind === 'imported')
  assert.ok(answer.certificate.byteLength < 2000)
  const tooMany = Buffer.concat([...octets, ...Array.from({ length: 3 }, () => junk)])
  assert.equal(await whyOf(tooMany), 'not a secret key')
})

test('a key for old mail alone can be kept for that, or gets a subkey', async () => {
  const vector = new URL('../../../test/vectors/openpgp/foreign/dsa2048-elg4096.tsk', import.meta.url)
  const tsk = await readFile(vector)
  const at = { addresses: ['dora@alpha.test'], created: Date.UTC(2026, 10, 1) }
  assert.equal((await importing(tsk, { ...at, use: 'reading' })).kind, 'imported')
  assert.equal((await importing(tsk, at)).kind, 'refused')
  const added = await importing(tsk, { ...at, addsSubkey: 'yes' })
  assert.ok(added.kind === 'imported')
  assert.equal(parseCertificate(added.certificate).encryptionKeys.length, 1)
})

test('a wrong owner imports nothing and sets nothing', async () => {
  const wrong = { password: Buffer.from('wrong password') }
  assert.deepEqual(await importing(own.secret, wrong), { kind: 'wrong' })
  const request = { account: 'a', table: made.table, ...owner, ...wrong, endToEnd: { kind: 'same' } as const }
  assert.deepEqual(await vault.setEndToEnd(request), { kind: 'wrong' })
})
