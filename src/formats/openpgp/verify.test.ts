import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalText } from './canonical-text.ts'
import { signatureBodies } from './cleartext.ts'
import { generateKeys } from './generate.ts'
import { readInnerMessage } from './inner-message.ts'
import { hashedKey } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { openSecretKeys } from './secret-key.ts'
import { signDetached } from './sign.ts'
import { parseSignature } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'
import { verifySignatures } from './verify.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/openpgp/rfc9580.json', import.meta.url), 'utf8'))
const vector = (name: string) => Buffer.from(vectors[name], 'base64')

const CREATED = 1_700_000_000_000
const NOW = CREATED + 86_400_000
const made = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created: new Date(CREATED) })
const keys = openSecretKeys(made.secret)
const letter = Buffer.from('Dear Ada,\r\n')

function verified(
  signature: Uint8Array,
  content: Uint8Array = letter,
  now = NOW,
  certificates = [made.certificate],
): number {
  return verifySignatures(signatureBodies(signature), content, certificates, now).length
}

test('RFC 9580 A.7: the inline-signed message of a version 6 key', () => {
  const { content, signatures } = readInnerMessage(vector('v6InlineSigned'))
  assert.match(Buffer.from(content).toString(), /^What we need from the grocery store:\n/)
  const [found] = verifySignatures(signatures, content, [vector('v6Certificate')], Date.UTC(2026, 1))
  assert.equal(found?.certificate, 'CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9')
  assert.equal(found?.mode, 'text')
  const changed = Buffer.concat([content, Buffer.from('!')])
  assert.deepEqual(verifySignatures(signatures, changed, [vector('v6Certificate')], Date.UTC(2026, 1)), [])
})

test('a signature counts for its content, its key and its time', async () => {
  const signature = signDetached(keys, letter, CREATED + 1000)
  assert.equal(verified(signature), 1)
  assert.equal(verified(signature, Buffer.from('Dear Bob,\r\n')), 0)
  assert.equal(verified(signature, letter, CREATED + 999), 0)
  const other = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created: new Date(CREATED) })
  assert.equal(verified(signature, letter, NOW, [other.certificate]), 0)
  assert.equal(verified(signature, letter, NOW, [Buffer.from('no certificate'), made.certificate]), 1)
})

test('signatures from before the key, expired ones and other kinds do not count', () => {
  const [primary] = keys.keys
  const signed = (type: number, created: number, ...subpackets: Buffer[]) =>
    verified(writeSignature(primary!, { type, created, subpackets }, [letter]))
  assert.equal(signed(0, CREATED + 1000), 1)
  assert.equal(signed(0, CREATED - 1000), 0)
  assert.equal(signed(0, CREATED + 1000, subpacket(3, Buffer.of(0, 0, 0, 60))), 0)
  assert.equal(signed(0x10, CREATED + 1000), 0)
  assert.equal(signed(0x02, CREATED + 1000), 0)
  assert.equal(signed(0, CREATED + 1000, subpacket(0x80 | 101, Buffer.of(1))), 0)
})

test('a key whose certificate takes the right to sign from it is not believed afterwards', () => {
  const [primary] = keys.keys
  const content = [hashedKey(4, primary!.key.body), Buffer.of(0xb4, 0, 0, 0, 3), Buffer.from('Ada')]
  const wish = { type: 0x13, created: CREATED + 5000, subpackets: [subpacket(27, Buffer.of(0x01))] }
  const [key, userId, ...rest] = [...readPackets(made.certificate)].map(({ octets }) => octets)
  const certificate = Buffer.concat([key!, userId!, writeSignature(primary!, wish, content), ...rest])
  const at = (created: number) => verified(signDetached(keys, letter, created), letter, NOW, [certificate])
  assert.equal(at(CREATED + 4000), 1)
  assert.equal(at(CREATED + 6000), 0)
})

test('any changed octet makes a signature none', () => {
  const [one] = readPackets(signDetached(keys, letter, CREATED + 1000))
  for (let at = 0; at < one!.body.length; at++) {
    const body = Buffer.from(one!.body)
    body[at] = body[at]! ^ 0x01
    const found = verifySignatures([body], letter, [made.certificate], NOW)
    // unhashed subpackets and the 16 bits of the hash are hints that nobody signed
    const hint = at >= 4 + 2 + 29 && at < one!.body.length - 68
    assert.ok(found.length === 0 || hint, `octet ${at}`)
  }
})

test('any octets are a signature, none, or MalformedOpenPgp', () => {
  const [one] = readPackets(signDetached(keys, letter, CREATED + 1000))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(60), (octets, kept) => {
      const body = Buffer.concat([one!.body.subarray(0, kept), octets])
      try {
        parseSignature(body)
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp, String(error))
      }
      verifySignatures([body], letter, [made.certificate], NOW)
    }),
    { numRuns: 1000 },
  )
})

test('a hundred signatures on one message are enough', () => {
  const literal = packet(11, Buffer.from('b\0\0\0\0\0', 'latin1'), letter)
  const flood = Array.from({ length: 101 }, () => packet(2, Buffer.of(4)))
  assert.throws(() => readInnerMessage(Buffer.concat([literal, ...flood])), /too many signatures/)
})

test('canonical text: every line ends with CRLF, once, and nothing else changes', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '\r', '\n', '\r\n', ' '), { maxLength: 30 })
  fc.assert(
    fc.property(text, (parts) => {
      const canonical = canonicalText(Buffer.from(parts.join(''))).toString()
      assert.equal(canonical, parts.join('').replace(/\r?\n/g, '\r\n'))
      assert.equal(canonicalText(Buffer.from(canonical)).toString(), canonical)
    }),
  )
})
