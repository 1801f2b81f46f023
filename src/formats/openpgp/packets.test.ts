import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedOpenPgp } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'

const bodies = fc.uint8Array({ maxLength: 9000 })

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 63 }), bodies), { maxLength: 5 }), (wanted) => {
      const octets = Buffer.concat(wanted.map(([type, body]) => packet(type, body)))
      const found = [...readPackets(octets)]
      assert.deepEqual(
        found.map((one) => [one.type, Buffer.from(one.body)]),
        wanted.map(([type, body]) => [type, Buffer.from(body)]),
      )
      assert.deepEqual(Buffer.concat(found.map((one) => one.octets)), octets)
    }),
    { numRuns: 50 },
  )
})

test('any octets give packets or MalformedOpenPgp', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        for (const one of readPackets(octets)) assert.ok(one.octets.length <= octets.length)
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp)
      }
    }),
    { numRuns: 2000 },
  )
})

test('reads the older header with every length field', () => {
  const body = Buffer.alloc(10, 7)
  const forms = [
    [0xac, 10],
    [0xad, 0, 10],
    [0xae, 0, 0, 0, 10],
  ]
  for (const header of forms) {
    const [found] = readPackets(Buffer.from([...header, ...body]))
    assert.equal(found?.type, 11)
    assert.deepEqual(Buffer.from(found!.body), body)
  }
  const [whole] = readPackets(Buffer.from([0xaf, ...body]))
  assert.deepEqual(Buffer.from(whole!.body), body)
})

test('joins partial lengths, in data packets alone', () => {
  const octets = Buffer.concat([
    Buffer.of(0xcb, 0xe9),
    Buffer.alloc(512, 1),
    Buffer.of(0xe0),
    Buffer.of(2),
    Buffer.of(1, 3),
  ])
  const [found] = readPackets(octets)
  assert.deepEqual(Buffer.from(found!.body), Buffer.concat([Buffer.alloc(512, 1), Buffer.of(2, 3)]))
  octets[0] = 0xc2
  assert.throws(() => [...readPackets(octets)], MalformedOpenPgp)
  const short = Buffer.concat([Buffer.of(0xcb, 0xe8), Buffer.alloc(256, 1), Buffer.of(0)])
  assert.throws(() => [...readPackets(short)], MalformedOpenPgp)
})

test('a flood of empty packets is cut off', () => {
  const flood = Buffer.alloc(2 * 30_000)
  for (let at = 0; at < flood.length; at += 2) flood[at] = 0xcd
  assert.throws(() => [...readPackets(flood)], /too many/)
})
