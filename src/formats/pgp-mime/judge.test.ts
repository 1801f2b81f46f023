import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAuthservId } from '#formats/message/authentication-results.ts'
import { fieldValue, scanHeader } from '#formats/message/header.ts'
import { dearmor } from '#formats/openpgp/armor.ts'
import { signatureBodies } from '#formats/openpgp/cleartext.ts'
import { packet, readPackets } from '#formats/openpgp/packets.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { subpacket, writeSignature } from '#formats/openpgp/signature-write.ts'
import type { Bytes } from '#lib/bytes.ts'
import { KEYS_MADE, type Person, person, SIGNED, signatureBy } from '../../../test/support/sealed-letters.ts'
import { issuersOf, judgeSignatures, resultsField, type SignerCertificate, type Surroundings } from './judge.ts'
import type { Protection, SignatureVerdict } from './protection.ts'

const ada = await person('Ada <ada@alpha.test>')
const bob = await person('Bob <bob@beta.test>')
const eve = await person('Eve <eve@evil.test>')
const DAY = 86_400_000
const NOW = SIGNED + DAY
const CONTENT = Buffer.from('Content-Type: text/plain\r\n\r\nIt is on.\r\n')

const of = (...all: readonly (Person | Bytes)[]): SignerCertificate[] =>
  all.map((one) => ({
    certificate: 'certificate' in one ? one.certificate : one,
    evidence: 'secure-srv',
    isCurrent: true,
  }))

function judge(signatures: Bytes, around: Partial<Surroundings> = {}, signed: Bytes = CONTENT): SignatureVerdict {
  const bodies = signatures.length === 0 ? [] : signatureBodies(signatures)
  const signers = { certificates: of(ada), trouble: null }
  const own = [bob.fingerprint]
  return judgeSignatures(
    { signed, signatures: bodies },
    { author: 'ada@alpha.test', signers, own, encrypted: true, now: NOW, ...around },
  )
}

const good = { kind: 'good', fingerprint: ada.fingerprint, evidence: 'secure-srv', isCurrent: true, signed: SIGNED }
const bySomebody = { signers: { certificates: of(ada, eve), trouble: null } }

test('the one author’s signature for this reader is good', () => {
  assert.deepEqual(judge(signatureBy(ada, CONTENT)), good)
  assert.deepEqual(judge(signatureBy(ada, CONTENT), { author: 'ADA@Alpha.test' }), good)
  assert.deepEqual(judge(signatureBy(ada, CONTENT, SIGNED, { recipients: [eve.fingerprint, bob.fingerprint] })), good)
  const old = { certificates: [{ ...of(ada)[0]!, evidence: 'wkd', isCurrent: false } as const], trouble: null }
  assert.deepEqual(judge(signatureBy(ada, CONTENT), { signers: old }), { ...good, evidence: 'wkd', isCurrent: false })
})

test('text signatures hold for the lines, whatever their ends', () => {
  const signature = signatureBy(ada, CONTENT, SIGNED, { mode: 'text' })
  const lines = Buffer.from(CONTENT.toString().replaceAll('\r\n', '\n'))
  assert.deepEqual(judge(signature, {}, lines), good)
  assert.equal(judge(signatureBy(ada, CONTENT), {}, lines).kind, 'bad')
})

test('none is none, and without one author nobody is spoken for', () => {
  assert.deepEqual(judge(Buffer.alloc(0)), { kind: 'none' })
  assert.equal(judge(signatureBy(ada, CONTENT), { author: null }).kind, 'unknown')
  assert.equal(judge(signatureBy(ada, CONTENT), { author: 'not an address' }).kind, 'unknown')
})

test('surreptitious forwarding: what Ada encrypted to Eve does not count when Eve sends it on to Bob', () => {
  const forEve = signatureBy(ada, CONTENT, SIGNED, { recipients: [eve.fingerprint] })
  assert.deepEqual(judge(forEve), { kind: 'bad', why: 'it was made for somebody else' })
  assert.deepEqual(judge(forEve, { encrypted: false }), good)
  assert.equal(judge(forEve, { own: [] }).kind, 'bad')
})

test('a signature of somebody else is not the author’s, whoever vouches for the certificate', () => {
  const why = 'it was made with a certificate of somebody else than the author'
  assert.deepEqual(judge(signatureBy(eve, CONTENT), bySomebody), { kind: 'bad', why })
  assert.deepEqual(judge(signatureBy(eve, CONTENT), { author: 'eve@evil.test', ...bySomebody }), {
    ...good,
    fingerprint: eve.fingerprint,
  })
})

test('a user id that shows another address than it has does not help', async () => {
  const tricky = await person('ada@alpha.test <eve@evil.test>')
  const signers = { certificates: of(tricky), trouble: null }
  assert.equal(judge(signatureBy(tricky, CONTENT), { signers }).kind, 'bad')
})

test('without the issuer’s certificate it is unknown, or unchecked as long as somebody may still have it', () => {
  const none = { certificates: [], trouble: null }
  assert.equal(judge(signatureBy(ada, CONTENT), { signers: none }).kind, 'unknown')
  assert.equal(judge(signatureBy(eve, CONTENT)).kind, 'unknown')
  const trouble = 'the keyserver of alpha.test does not answer'
  assert.deepEqual(judge(signatureBy(ada, CONTENT), { signers: { certificates: [], trouble } }), {
    kind: 'unchecked',
    why: trouble,
  })
  assert.deepEqual(judge(signatureBy(ada, CONTENT), { signers: { certificates: of(ada), trouble } }), good)
  assert.equal(
    judge(signatureBy(ada, CONTENT), { signers: { certificates: of(Buffer.of(1, 2)), trouble: null } }).kind,
    'unknown',
  )
})

test('what was changed, is from the future or has expired is bad', () => {
  const changed = Buffer.from(CONTENT.toString().replace('on', 'off'))
  assert.match(JSON.stringify(judge(signatureBy(ada, CONTENT), {}, changed)), /bad.*does not hold/)
  assert.match(JSON.stringify(judge(signatureBy(ada, CONTENT, NOW + DAY))), /bad.*future/)
  assert.equal(judge(signatureBy(ada, CONTENT, NOW + 60_000)).kind, 'good', 'a clock that is a minute fast')
  const hour = Buffer.alloc(4)
  hour.writeUInt32BE(3600)
  const [key] = openSecretKeys(ada.secret).keys
  const short = writeSignature(key!, { type: 0, created: SIGNED, subpackets: [subpacket(3, hour)] }, [CONTENT])
  assert.equal(judge(short, { now: SIGNED + 1000 }).kind, 'good')
  assert.match(JSON.stringify(judge(short)), /bad.*expired/)
  const demanding = writeSignature(key!, { type: 0, created: SIGNED, subpackets: [subpacket(0x80 | 100)] }, [CONTENT])
  assert.match(JSON.stringify(judge(demanding)), /bad.*cannot be read/)
  const made = Buffer.from(signatureBodies(signatureBy(ada, CONTENT))[0]!)
  made[3] = 2
  assert.match(JSON.stringify(judge(packet(2, made))), /bad.*SHA-1/)
  const overKey = writeSignature(key!, { type: 0x1f, created: SIGNED }, [CONTENT])
  assert.equal(judge(overKey).kind, 'bad')
})

const revoked = ({ certificate, revocation }: Person) =>
  withRevocation(certificate, dearmor(Buffer.from(revocation)).octets)

test('a hard revocation looks back, and one copy that knows of it is enough', () => {
  const signature = signatureBy(ada, CONTENT)
  for (const all of [of(revoked(ada)), of(ada, revoked(ada)), of(revoked(ada), ada)]) {
    assert.match(JSON.stringify(judge(signature, { signers: { certificates: all, trouble: null } })), /bad.*revoked/)
  }
  assert.deepEqual(judge(signature, { signers: { certificates: of(revoked(eve), ada), trouble: null } }), good)
})

test('a certificate that its owner renewed speaks for what was signed before', async () => {
  const created = KEYS_MADE
  const renewed = await person('Ada <ada@alpha.test>', created)
  const signature = signatureBy(renewed, CONTENT)
  const [key] = openSecretKeys(renewed.secret).keys
  const packets = [...readPackets(renewed.certificate)]
  const [primary, userId] = packets
  const octets = userId!.body
  const length = Buffer.alloc(4)
  length.writeUInt32BE(octets.length)
  const keyLength = Buffer.of(0x99, primary!.body.length >> 8, primary!.body.length & 0xff)
  const newer = writeSignature(
    key!,
    { type: 0x13, created: SIGNED + 1000, subpackets: [subpacket(27, Buffer.of(3))] },
    [keyLength, primary!.body, Buffer.of(0xb4), length, octets],
  )
  const certificate = Buffer.concat([primary!.octets, userId!.octets, newer])
  const signers = { certificates: of(certificate), trouble: null }
  assert.equal(judge(signature, { signers }).kind, 'good')
  const before = signatureBy(renewed, CONTENT, created + 1000)
  assert.equal(judge(before, { signers }).kind, 'good')
})

test('of several signatures the best counts, and only the first few are looked at', () => {
  const [own, others] = [signatureBy(ada, CONTENT), signatureBy(eve, CONTENT)]
  assert.deepEqual(judge(Buffer.concat([others, own]), bySomebody), good)
  assert.deepEqual(judge(Buffer.concat([others, own])), good)
  const crowd = Buffer.concat([...Array.from({ length: 8 }, () => others), own])
  assert.equal(judge(crowd, bySomebody).kind, 'bad')
  assert.deepEqual(issuersOf(signatureBodies(crowd)), [eve.fingerprint])
  assert.deepEqual(issuersOf([Buffer.alloc(0), Buffer.from('text')]), [])
})

test('whatever the signatures and certificates are, there is a verdict', () => {
  const octets = fc.uint8Array({ maxLength: 60 })
  const bodies = signatureBodies(signatureBy(ada, CONTENT))
  const cut = fc.nat({ max: bodies[0]!.length - 1 }).map((size) => bodies[0]!.subarray(0, size))
  fc.assert(
    fc.property(fc.array(fc.oneof(octets, cut), { maxLength: 4 }), octets, (signatures, certificate) => {
      const signers = { certificates: of(certificate, ada), trouble: null }
      const around = { author: 'ada@alpha.test', signers, own: [], encrypted: true, now: NOW }
      const { kind } = judgeSignatures({ signed: CONTENT, signatures }, around)
      assert.equal(kind, signatures.length === 0 ? 'none' : 'bad')
    }),
    { numRuns: 300 },
  )
})

const protection = (signature: SignatureVerdict, rest: Partial<Protection> = {}): Protection => ({
  encryption: 'opened',
  signature,
  author: 'alice@alpha.test',
  at: NOW,
  ...rest,
})
const PASS: SignatureVerdict = {
  kind: 'good',
  fingerprint: 'A'.repeat(40),
  evidence: 'secure-srv',
  isCurrent: true,
  signed: 1,
}

test('mail programs are told by RFC 8601', () => {
  assert.equal(
    resultsField('mx.beta.test', protection(PASS)),
    [
      'Authentication-Results: mx.beta.test;',
      '\topenpgp=pass (signed and encrypted) header.from=alice@alpha.test',
      ` policy.openpgp-fingerprint=${'A'.repeat(40)}`,
      ' policy.openpgp-evidence=secure-srv policy.openpgp-encrypted=yes',
      '',
    ].join('\r\n'),
  )
  const code = (signature: SignatureVerdict) => /openpgp=([a-z]+)/.exec(resultsField('a', protection(signature)))?.[1]
  assert.deepEqual(
    (['bad', 'unknown', 'unchecked'] as const).map((kind) => code({ kind, why: 'it is so' })),
    ['fail', 'neutral', 'temperror'],
  )
  assert.equal(code({ kind: 'none' }), 'none')
  assert.equal(
    resultsField(
      'mx.beta.test',
      protection({ kind: 'bad', why: 'a "b" \\ \r\nX: é' }, { encryption: 'none', author: null }),
    ),
    'Authentication-Results: mx.beta.test;\r\n\topenpgp=fail (signed) reason="a \\"b\\" \\\\ X:" policy.openpgp-encrypted=no\r\n',
  )
  assert.equal(
    resultsField('mx.beta.test', protection({ kind: 'none' }), 'eve@evil.test'),
    'Authentication-Results: mx.beta.test;\r\n\topenpgp=none (encrypted) header.from=eve@evil.test\r\n' +
      ' policy.openpgp-inner-from=alice@alpha.test policy.openpgp-encrypted=yes\r\n',
  )
  assert.match(resultsField('a', protection({ ...PASS, isCurrent: false })), /openpgp-current=no/)
})

test('nothing that somebody chose makes another field, another result or a long line', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 })
  fc.assert(
    fc.property(text, text, fc.option(fc.emailAddress()), (author, why, other) => {
      const field = resultsField('mx.beta.test', protection({ kind: 'bad', why }, { author: other ?? author }))
      const octets = Buffer.from(`${field}\r\n`)
      const { fields, range } = scanHeader(octets)
      assert.deepEqual([fields.length, fields[0]!.name, range.end], [1, 'authentication-results', octets.length])
      const value = fieldValue(octets, fields[0]!)
      assert.equal(parseAuthservId(value), 'mx.beta.test')
      const bare = value.replace(/"(?:[^"\\]|\\.)*"/gs, '""')
      assert.match(
        bare,
        /^mx\.beta\.test;\topenpgp=fail \(signed and encrypted\) reason="" header\.from=\S+ policy\.openpgp-encrypted=yes$/,
      )
      for (const line of other === null ? [] : field.split('\r\n'))
        assert.ok(line.length <= 78 || !line.trim().includes(' '))
    }),
  )
})
