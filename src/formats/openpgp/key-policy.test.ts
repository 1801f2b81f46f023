import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor } from './armor.ts'
import { cleanCertificate } from './clean.ts'
import { loadEngine } from './engine.ts'
import { generateKeys, makeTransferableKey } from './generate.ts'
import { hashedKey } from './key-packet.ts'
import { type Judgement, type JudgeOptions, judgeKey } from './key-policy.ts'
import { lengthRefusals } from './key-reasons.ts'
import { packet, readPackets } from './packets.ts'
import { makeRevocation, withRevocation } from './revocation.ts'
import { certificateOf, openSecretKeys } from './secret-key.ts'
import { subpacket, writeSignature } from './signature-write.ts'

const CREATED = 1_700_000_000_000
const DAY = 86_400_000
const NOW = CREATED + DAY
const created = new Date(CREATED)
const ada = await generateKeys({ userId: 'Ada <Ada@Alpha.test>', algorithm: 'curve25519', created })
const keys = openSecretKeys(ada.secret)
const [primary, subkey] = keys.keys as [(typeof keys.keys)[0], (typeof keys.keys)[0]]
const whole = hashedKey(4, primary.key.body)
const wholeSubkey = hashedKey(4, subkey.key.body)
const parts = [...readPackets(ada.certificate)].map((one) => one.octets)
const foreign = (name: string) =>
  readFileSync(new URL(`../../../test/vectors/openpgp/foreign/${name}.tsk`, import.meta.url))

function judged(octets: Uint8Array, options: Partial<JudgeOptions> = {}): Judgement {
  return judgeKey(octets, { addresses: ['ada@alpha.test'], now: NOW, held: null, ...options })
}

function assertReasons(found: Judgement, verdict: string, refusals: string[], warnings: string[] = []): void {
  assert.equal(found.verdict, verdict, JSON.stringify(found))
  assert.deepEqual(
    found.refusals.map((one) => one.code),
    refusals,
  )
  assert.deepEqual(
    found.warnings.map((one) => one.code),
    warnings,
  )
  for (const { text } of [...found.refusals, ...found.warnings]) assert.match(text, /^[A-Z].*[.a-zA-Z'>)]$/)
}

test('a key of ours may be current, for any of the addresses in any spelling, armored or not', () => {
  const found = judged(ada.certificate)
  assertReasons(found, 'current', [])
  assert.deepEqual([found.canSeal, found.canSign, found.expires], [true, true, null])
  assert.equal(found.fingerprint, keys.certificate.fingerprint)
  for (const addresses of [['ADA@alpha.TEST'], ['x@y.test', 'ada@alpha.test']]) {
    assertReasons(judged(Buffer.from(armor('PUBLIC KEY BLOCK', ada.certificate)), { addresses }), 'current', [])
  }
})

test('a key whose use would keep others waiting is refused', () => {
  const rsa = (octets: number) =>
    ({ ...primary.key, material: { kind: 'rsa', n: Buffer.alloc(octets, 0xff), e: Buffer.of(3) } }) as const
  assert.deepEqual(lengthRefusals([primary.key, rsa(1024)]), [])
  assert.deepEqual(
    lengthRefusals([primary.key, rsa(1025)]).map(({ code }) => code),
    ['too-long'],
  )
})

test('without a user id of the account it is refused', () => {
  for (const addresses of [[], ['eve@alpha.test'], ['ada@alpha.test.evil.test'], ['not an address']]) {
    assertReasons(judged(ada.certificate, { addresses }), 'refused', ['no-address'])
  }
})

test('user ids: a bare address counts, a name that looks like one does not, a revoked one does not', async () => {
  const ids = async (...userIds: string[]) =>
    (await makeTransferableKey({ userIds, algorithm: 'curve25519', created, encrypts: true })).certificate
  assertReasons(judged(await ids('ada@alpha.test')), 'current', [])
  assertReasons(judged(await ids('x', 'Ada <ada@alpha.test>')), 'current', [])
  assertReasons(judged(await ids('ada@alpha.test <eve@alpha.test>')), 'refused', ['no-address'])
  assertReasons(judged(await ids('<ada@alpha.test> Eve <eve@alpha.test>')), 'refused', ['no-address'])
  const name = Buffer.from('Ada <Ada@Alpha.test>')
  const revocation = writeSignature(primary, { type: 0x30, created: NOW - 1000 }, [
    whole,
    Buffer.of(0xb4, 0, 0, 0, name.length),
    name,
  ])
  const withoutName = Buffer.concat([...parts.slice(0, 3), revocation, ...parts.slice(3)])
  assertReasons(judged(withoutName), 'refused', ['no-self-signature'])
})

test('the secret of what mail is encrypted to must be there', () => {
  const [first, second] = [primary.key.fingerprint, subkey.key.fingerprint]
  assertReasons(judged(ada.certificate, { held: [first, second] }), 'current', [])
  assertReasons(judged(ada.certificate, { held: [second] }), 'current', [], ['no-signing-key'])
  assertReasons(judged(ada.certificate, { held: [first] }), 'refused', ['secret-missing'])
  assertReasons(judged(ada.certificate, { held: [] }), 'refused', ['secret-missing'], ['no-signing-key'])
})

test('revoked and expired keys are for reading', () => {
  for (const reason of [0, 1, 2, 3] as const) {
    const revocation = makeRevocation(keys, { created: NOW - 1000, reason, text: 'over' })
    assertReasons(
      judged(withRevocation(ada.certificate, Buffer.from(revocation))),
      'reading',
      ['revoked'],
      ['no-signing-key'],
    )
  }
  const expiring = (type: number, flags: number, content: Uint8Array[]) =>
    writeSignature(
      primary,
      {
        type,
        created: CREATED + 1000,
        subpackets: [subpacket(27, Buffer.of(flags)), subpacket(9, Buffer.of(0, 0, 0x10, 0))],
      },
      [whole, ...content],
    )
  const name = Buffer.from('Ada <Ada@Alpha.test>')
  const certification = expiring(0x13, 3, [Buffer.of(0xb4, 0, 0, 0, name.length), name])
  const expired = Buffer.concat([...parts.slice(0, 2), certification, ...parts.slice(3)])
  assertReasons(judged(expired), 'reading', ['expired'], ['no-signing-key'])
  const before = judged(expired, { now: CREATED + 2000 })
  assertReasons(before, 'current', [])
  assert.equal(before.expires, CREATED + 0x1000 * 1000)
  const subkeyExpired = Buffer.concat([...parts, expiring(0x18, 0x0c, [wholeSubkey])])
  assertReasons(judged(subkeyExpired), 'reading', ['encryption-key-expired'])
})

test('RSA: below 2048 bits refused, to the bit; below 3072 warned about', async () => {
  const engine = await loadEngine()
  const rsa = async (rsaBits: number) => {
    const config = { minRSABits: 1024 }
    const userIDs = [{ email: 'ada@alpha.test' }]
    const made = await engine.generateKey({ type: 'rsa', rsaBits, userIDs, format: 'binary', date: created, config })
    return made.publicKey
  }
  assertReasons(judged(await rsa(1024)), 'refused', ['too-short'])
  assertReasons(judged(await rsa(2040)), 'refused', ['too-short'])
  assertReasons(judged(await rsa(2047)), 'refused', ['too-short'])
  assertReasons(judged(await rsa(2048)), 'current', [], ['short'])
})

test('DSA and ElGamal: below the floors refused, above them for reading', () => {
  const dora = (name: string) => {
    const tsk = foreign(name)
    using opened = openSecretKeys(tsk)
    const held = opened.keys.map((one) => one.key.fingerprint)
    return judged(certificateOf(tsk), { addresses: ['dora@alpha.test'], now: Date.UTC(2025, 0), held })
  }
  assertReasons(dora('dsa1024-elg1024'), 'refused', ['too-short'])
  assertReasons(
    dora('dsa2048-elg2048'),
    'refused',
    ['too-short'],
    ['old-algorithm', 'no-signing-key', 'subkey-left-out'],
  )
  assertReasons(dora('dsa2048-elg4096'), 'reading', ['old-algorithm'], ['old-algorithm', 'no-signing-key'])
  assertReasons(dora('dsa3072-elg4096'), 'reading', ['old-algorithm'], ['old-algorithm', 'no-signing-key'])
})

test('a key that only signs is refused, with the way out', async () => {
  const wish = { userIds: ['ada@alpha.test'], algorithm: 'curve25519', created, encrypts: false } as const
  const found = judged((await makeTransferableKey(wish)).certificate)
  assertReasons(found, 'refused', ['no-encryption-key'])
  assert.match(found.refusals[0]!.text, /added here/)
})

test('a subkey that is weak, unknown or not bound is left out while a good one remains', () => {
  const bound = (body: Buffer) => {
    const wish = { type: 0x18, created: CREATED, subpackets: [subpacket(27, Buffer.of(0x0c))] }
    return Buffer.concat([packet(14, body), writeSignature(primary, wish, [whole, hashedKey(4, body)])])
  }
  const head = subkey.key.body.subarray(0, 5)
  const short = Buffer.concat([head, Buffer.of(1, 0x04, 0x00), Buffer.alloc(128, 0xff), Buffer.of(0, 2, 3)])
  const unknown = Buffer.concat([head, Buffer.of(99, 1, 2, 3)])
  for (const octets of [bound(short), bound(unknown), packet(14, short)]) {
    const whole = Buffer.concat([...parts, octets])
    assertReasons(judged(whole), 'current', [], ['subkey-left-out'])
    assert.ok(cleanCertificate(whole, NOW).equals(cleanCertificate(ada.certificate, NOW)))
  }
})

test('self-signatures with SHA-1 are named as what they are, and so is the future', () => {
  const certification = Buffer.from(parts[2]!)
  // header, version, type, algorithm; then the hash
  const at = certification.length - [...readPackets(certification)][0]!.body.length + 3
  certification[at] = 2
  const forged = Buffer.concat([...parts.slice(0, 2), certification, ...parts.slice(3)])
  const found = judged(forged)
  assertReasons(found, 'refused', ['old-self-signature'])
  assert.match(found.refusals[0]!.text, /--quick-set-expire/)
  assertReasons(judged(ada.certificate, { now: CREATED - 1 }), 'refused', ['not-yet-valid'])
})

test('whatever the octets are, the answer is a judgement', () => {
  assertReasons(judged(Buffer.from('hello')), 'refused', ['unreadable'])
  assertReasons(judged(ada.secret), 'refused', ['unreadable'])
  assertReasons(judged(Buffer.concat([ada.certificate, ada.certificate])), 'refused', ['unreadable'])
  const piece = fc.oneof(
    fc.constantFrom(...parts),
    fc.uint8Array({ maxLength: 60 }).map((body) => packet(2, body)),
    fc.uint8Array({ maxLength: 60 }).map((body) => packet(14, body)),
    fc.uint8Array({ maxLength: 60 }).map((body) => packet(13, body)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const octets = Buffer.concat([...(pieces.length > 2 ? [parts[0]!] : []), ...pieces])
      const found = judged(octets)
      assert.equal(found.verdict === 'current', found.refusals.length === 0)
    }),
    { numRuns: 300 },
  )
})
