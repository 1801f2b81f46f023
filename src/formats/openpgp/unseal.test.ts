import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { deflateRawSync, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { armor } from './armor.ts'
import { IntegrityError, MalformedOpenPgp } from './openpgp.ts'
import { packet } from './packets.ts'
import { openSecretKeys, sessionKeyOf } from './secret-key.ts'
import { decryptSeipd1, seipd1Size, writeSeipd1 } from './seipd1.ts'
import { encryptSeipd2 } from './seipd2.ts'
import { splitMessage, unseal } from './unseal.ts'

const sessionKey = { cipher: 9, key: randomBytes(32) }
const PREFIX = 19

function literal(content: Uint8Array): Buffer {
  return packet(11, Buffer.from('b\0\0\0\0\0', 'latin1'), content)
}

/** A message whose container holds these packets. */
function containing(...packets: Buffer[]): Buffer {
  return packet(18, container(Buffer.concat(packets)))
}

function container(inner: Buffer): Buffer {
  const target = Buffer.alloc(seipd1Size(inner.length))
  writeSeipd1(target, sessionKey, (plain) => plain.set(inner))
  return target
}

const letter = Buffer.from('the octets of a letter')
const letterPacket = literal(letter)

function refused(message: Buffer, key = sessionKey): void {
  assert.throws(
    () => unseal(message, key),
    (error: Error) => {
      assert.ok(error instanceof MalformedOpenPgp || error instanceof IntegrityError, String(error))
      assert.ok(!error.message.includes('letter'))
      return true
    },
  )
}

test('reads what others put around the content', () => {
  const signature = packet(2, Buffer.alloc(20))
  const accepted = [
    containing(letterPacket),
    containing(packet(8, Buffer.of(0), letterPacket)),
    containing(packet(8, Buffer.of(1), deflateRawSync(letterPacket))),
    containing(packet(8, Buffer.of(2), deflateSync(letterPacket))),
    containing(packet(4, Buffer.alloc(13)), letterPacket, signature),
    containing(packet(8, Buffer.of(1), deflateRawSync(Buffer.concat([letterPacket, signature])))),
    containing(packet(10, Buffer.from('PGP')), letterPacket, packet(21, randomBytes(50)), packet(60, randomBytes(9))),
    Buffer.concat([packet(1, Buffer.alloc(20)), packet(10, Buffer.from('PGP')), containing(letterPacket)]),
  ]
  for (const message of accepted) assert.deepEqual(Buffer.from(unseal(message, sessionKey)), letter)
  assert.deepEqual(Buffer.from(unseal(Buffer.from(armor('MESSAGE', accepted[0]!)), sessionKey)), letter)
})

test('any changed octet of the container is noticed, and nothing of the content is told', () => {
  const message = containing(letterPacket)
  for (let at = 3; at < message.length; at++) {
    const changed = Buffer.from(message)
    changed[at] = changed[at]! ^ 0x01
    refused(changed)
  }
})

test('a container that is cut off, anywhere, is refused', () => {
  const body = containing(letterPacket).subarray(2)
  for (let size = 0; size < body.length; size++) refused(packet(18, body.subarray(0, size)))
})

test('CFB gadgets: content that was moved or repeated is refused (EFAIL)', () => {
  const body = containing(literal(Buffer.alloc(320, 0x41))).subarray(3)
  const block = (index: number) => body.subarray(PREFIX + 16 * index, PREFIX + 16 * (index + 1))
  const [head, tail] = [body.subarray(0, PREFIX + 64), body.subarray(PREFIX + 64)]
  refused(packet(18, head, block(3), block(3), tail))
  refused(packet(18, head, tail.subarray(16)))
  const forged = Buffer.from(body)
  for (let i = 0; i < 16; i++) forged[PREFIX + 64 + i] = forged[PREFIX + 64 + i]! ^ 0x41 ^ 0x20
  refused(packet(18, forged))
})

test('a container without integrity protection is refused, also one that was made into it', () => {
  const body = containing(letterPacket).subarray(2)
  refused(packet(9, body))
  refused(packet(9, body.subarray(1)))
  refused(packet(18, Buffer.of(0), body.subarray(1)))
  refused(packet(20, body))
})

test('the hash must stand at the end in its own packet', () => {
  const body = container(letterPacket)
  assert.doesNotThrow(() => decryptSeipd1(body, sessionKey))
  refused(packet(18, body.subarray(0, -22)))
  refused(packet(18, body, Buffer.alloc(22)))
})

test('the wrong session key gives one answer', () => {
  const message = containing(letterPacket)
  assert.throws(() => unseal(message, { cipher: 9, key: randomBytes(32) }), IntegrityError)
  assert.throws(() => unseal(message, { cipher: 7, key: randomBytes(16) }), IntegrityError)
  assert.throws(() => unseal(message, { cipher: 9, key: randomBytes(16) }), IntegrityError)
  assert.throws(() => unseal(message, { cipher: 2, key: randomBytes(24) }), MalformedOpenPgp)
})

test('messages that say several things, or nothing, are refused', () => {
  refused(containing(letterPacket, letterPacket))
  refused(containing())
  refused(containing(packet(2, Buffer.alloc(20))))
  refused(containing(packet(13, letter), letterPacket))
  refused(Buffer.concat([containing(letterPacket), containing(letterPacket)]))
  refused(Buffer.concat([containing(letterPacket), letterPacket]))
  refused(Buffer.concat([letterPacket, containing(letterPacket)]))
  refused(letterPacket)
  refused(Buffer.alloc(0))
})

test('compression: one level, and not beyond the limit', () => {
  const zip = (octets: Buffer) => packet(8, Buffer.of(1), deflateRawSync(octets))
  refused(containing(zip(zip(letterPacket))))
  refused(containing(packet(8, Buffer.of(0), zip(letterPacket))))
  refused(containing(packet(8, Buffer.of(3), letterPacket)))
  refused(containing(packet(8, Buffer.of(1), Buffer.from('not deflate'))))
  const bomb = containing(zip(literal(Buffer.alloc(4 << 20))))
  assert.ok(bomb.length < 8000)
  assert.throws(() => unseal(bomb, sessionKey, 1 << 20), /too large/)
  assert.equal(unseal(bomb, sessionKey, 8 << 20).length, 4 << 20)
})

test('a thousand recipients are enough', () => {
  const flood = Buffer.concat([
    ...Array.from({ length: 1001 }, () => packet(1, Buffer.of(3))),
    containing(letterPacket),
  ])
  assert.throws(() => splitMessage(flood), /too many/)
})

test('any octets are refused with our own errors', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (octets, inside) => {
      try {
        unseal(inside ? containing(Buffer.from(octets)) : octets, sessionKey)
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp || error instanceof IntegrityError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/openpgp/rfc9580.json', import.meta.url), 'utf8'))
const vector = (name: string) => Buffer.from(vectors[name], 'base64')

test('RFC 9580 A.8: version 2 with OCB to an X25519 key', () => {
  const message = vector('v6ToX25519Ocb')
  const keys = openSecretKeys(vector('v6SecretKey'))
  const found = sessionKeyOf(keys, splitMessage(message).pkesks[0]!)
  assert.equal(found?.cipher, 0)
  assert.equal(Buffer.from(unseal(message, found!)).toString(), 'Hello, world!')
})

test('RFC 9580 A.9 to A.11: version 2 with EAX, OCB and GCM', () => {
  const sessionKeys = {
    passwordEax: '3881bafe985412459b86c36f98cb9a5e',
    passwordOcb: '28e79ab82397d3c63de24ac217d7b791',
    passwordGcm: '1936fc8568980274bb900d8319360c77',
  }
  for (const [name, key] of Object.entries(sessionKeys)) {
    const message = vector(name)
    const found = unseal(message, { cipher: 0, key: Buffer.from(key, 'hex') })
    assert.equal(Buffer.from(found).toString(), 'Hello, world!')
    for (let at = message.length - 60; at < message.length; at++) {
      const changed = Buffer.from(message)
      changed[at] = changed[at]! ^ 0x80
      assert.throws(() => unseal(changed, { cipher: 0, key: Buffer.from(key, 'hex') }), IntegrityError)
    }
  }
})

test('version 2: chunks that are missing, swapped or cut off are refused', () => {
  const content = literal(randomBytes(150_000))
  for (const aead of [2, 3]) {
    const whole = Buffer.concat(encryptSeipd2(content, 9, aead, sessionKey.key))
    const chunk = 65_536 + 16
    const head = whole.subarray(0, 36)
    const chunks = [0, 1].map((index) => whole.subarray(36 + index * chunk, 36 + (index + 1) * chunk))
    const [rest, tag] = [whole.subarray(36 + 2 * chunk, -16), whole.subarray(-16)]
    assert.ok(Buffer.from(unseal(packet(18, whole), sessionKey)).equals(content.subarray(12)))
    refused(packet(18, head, chunks[1]!, chunks[0]!, rest, tag))
    refused(packet(18, head, chunks[0]!, rest, tag))
    refused(packet(18, head, ...chunks, tag))
    refused(packet(18, head, ...chunks, rest))
    refused(packet(18, head, ...chunks, rest.subarray(1), tag))
    refused(packet(18, head, chunks[0]!, tag))
  }
})

test('version 2: a million tiny chunks, or huge ones, are refused before any work', () => {
  const tiny = Buffer.concat([Buffer.of(2, 9, 2, 0), Buffer.alloc(32 + 80 * 40_000)])
  assert.throws(() => unseal(packet(18, tiny), sessionKey), /too many chunks/)
  const huge = Buffer.concat([Buffer.of(2, 9, 2, 17), Buffer.alloc(200)])
  assert.throws(() => unseal(packet(18, huge), sessionKey), /too large/)
})
