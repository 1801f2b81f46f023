/** DSA and ElGamal (RFC 9580 §12.5, §12.6): old mail stays readable, and a new subkey makes such a key usable again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { withModernSubkey } from './add-subkey.ts'
import { parseCertificate, verifyCertificate } from './certificate.ts'
import { generateKeys, makeTransferableKey } from './generate.ts'
import { judgeKey } from './key-policy.ts'
import { MalformedOpenPgp, UndecryptableSessionKey } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { writePkesk } from './pkesk.ts'
import { seal } from './seal.ts'
import { openSecretKeys, sessionKeyOf } from './secret-key.ts'
import { splitMessage, unseal } from './unseal.ts'

const NOW = Date.UTC(2025, 0)
const vector = (name: string) => readFileSync(new URL(`../../../test/vectors/openpgp/foreign/${name}`, import.meta.url))
const tsk = vector('dsa2048-elg4096.tsk')
const message = vector('dsa2048-elg4096.message')
const dora = openSecretKeys(tsk)
const [pkesk] = splitMessage(message).pkesks as [Uint8Array]

test('mail that GnuPG encrypted with ElGamal opens', () => {
  assert.deepEqual(
    dora.keys.map((one) => one.key.material.kind),
    ['dsa', 'elgamal'],
  )
  assert.equal(unseal(message, sessionKeyOf(dora, pkesk)!).toString(), 'Dear Dora\r\n')
})

test('one error for everything that is broken in an ElGamal session key', () => {
  const last = pkesk.length - 1
  for (const at of [12, 20, 500, 525, 600, last]) {
    const changed = Buffer.from(pkesk)
    changed[at] = changed[at]! ^ 0x10
    assert.throws(() => sessionKeyOf(dora, changed), UndecryptableSessionKey)
  }
  for (const value of [0, 1]) {
    const number = Buffer.of(0, value, ...(value ? [1] : []))
    const weak = Buffer.concat([pkesk.subarray(0, 10), number, number])
    assert.throws(() => sessionKeyOf(dora, weak), UndecryptableSessionKey)
  }
  assert.throws(() => sessionKeyOf(dora, pkesk.subarray(0, 300)), UndecryptableSessionKey)
})

test('a public half of DSA or ElGamal that does not belong to its secret is refused', () => {
  const packets = [...readPackets(tsk)]
  for (const [index, { type, body }] of packets.entries()) {
    if (type !== 5 && type !== 7) continue
    // y ends where the usage octet, the secret's size, the secret and the sum begin
    const size = Buffer.from(body).lastIndexOf(Buffer.from(dora.keys[type === 5 ? 0 : 1]!.key.body).subarray(-8)) + 8
    const changed = Buffer.from(body)
    changed[size - 1] = changed[size - 1]! ^ 1
    const octets = packets.map((one, i) => (i === index ? packet(type, changed) : one.octets))
    assert.throws(() => openSecretKeys(Buffer.concat(octets)), MalformedOpenPgp)
  }
})

test('nothing is sealed to ElGamal', () => {
  assert.deepEqual(parseCertificate(dora.certificate.bytes).encryptionKeys, [])
  const key = dora.keys[1]!.key
  const [modern] = parseCertificate(dora.certificate.bytes).signingKeys
  assert.equal(modern, undefined)
  const recipient = {
    ...key,
    material: key.body,
    purposes: 12,
    seipdv2: false,
    ciphers: [9],
    ciphersuites: [],
    expires: null,
  }
  assert.throws(() => writePkesk(recipient, { cipher: 9, key: Buffer.alloc(32) }, 3), MalformedOpenPgp)
})

test('with a new subkey it may be current: sealed to, opened, and old mail opens too', async () => {
  const { secret, certificate } = await withModernSubkey(tsk, NOW)
  const keys = openSecretKeys(secret)
  const held = keys.keys.map((one) => one.key.fingerprint)
  const judged = judgeKey(certificate, { addresses: ['dora@alpha.test'], now: NOW + 1000, held })
  assert.equal(judged.verdict, 'current', JSON.stringify(judged))
  const verified = verifyCertificate(certificate, NOW + 1000)
  assert.equal(verified.fingerprint, dora.certificate.fingerprint)
  const sealed = seal(verified.encryptionKeys, Buffer.from('new')).message
  assert.equal(unseal(sealed, sessionKeyOf(keys, splitMessage(sealed).pkesks[0]!)!).toString(), 'new')
  assert.equal(unseal(message, sessionKeyOf(keys, pkesk)!).toString(), 'Dear Dora\r\n')
})

test('a key of any version that only signs becomes one that is sealed to; without the primary secret none does', async () => {
  const created = new Date(NOW)
  for (const algorithm of ['curve25519', 'v6-curve25519'] as const) {
    const made = await makeTransferableKey({ userIds: ['ada@alpha.test'], algorithm, created, encrypts: false })
    const { certificate } = await withModernSubkey(made.secret, NOW)
    assert.equal(judgeKey(certificate, { addresses: ['ada@alpha.test'], now: NOW, held: null }).verdict, 'current')
  }
  const made = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })
  const [first, ...others] = [...readPackets(made.secret)].map((one) => one.octets)
  assert.ok(first)
  const [open] = [...readPackets(made.certificate)].map((one) => one.octets)
  await assert.rejects(withModernSubkey(Buffer.concat([open!, ...others]), NOW), { name: 'CannotSign' })
})
