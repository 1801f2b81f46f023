import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { COPIED, Outgoing } from './outgoing.ts'

/** Takes what is written as slowly as `delay` says: so many writes later. */
function collector(delay: number) {
  const taken: Buffer[] = []
  const waiting: { octets: Uint8Array; written: () => void }[] = []
  const take = () => {
    const { octets, written } = waiting.shift()!
    taken.push(Buffer.from(octets))
    written()
  }
  const outgoing = new Outgoing((octets, written) => {
    waiting.push({ octets, written })
    if (waiting.length > delay) take()
  })
  const all = () => {
    outgoing.push()
    while (waiting.length > 0) take()
    return Buffer.concat(taken)
  }
  return { outgoing, all, writes: () => taken.length }
}

const size = fc.oneof(fc.nat(2000), fc.constantFrom(512, 513, 131_071, 131_072, 131_073, COPIED, COPIED + 1))
const piece = fc.oneof(
  size.map((length) => 'text é\xff'.repeat(length).slice(0, length)),
  size.map((length) => Buffer.alloc(length, length & 0xff)),
)

test('everything comes out once, in order, although contents are wiped as soon as they were copied', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.nat(3), (pieces, delay) => {
      const expected = Buffer.concat(pieces.map((one) => Buffer.from(one as string, 'latin1')))
      const { outgoing, all } = collector(delay)
      for (const one of pieces) {
        const given = typeof one === 'string' ? one : Buffer.from(one)
        outgoing.add(given)
        if (typeof given !== 'string' && given.length <= COPIED) given.fill(0)
      }
      assert.ok(all().equals(expected))
    }),
    { numRuns: 50 },
  )
})

test('a burst of small responses is one write, and large contents are not copied', () => {
  const { outgoing, all, writes } = collector(0)
  for (let i = 0; i < 100; i++) outgoing.add(`* ${i} FETCH ()\r\n`)
  for (let i = 0; i < 30; i++) {
    outgoing.add('BODY[] ')
    outgoing.add(Buffer.alloc(4000))
  }
  assert.equal(writes(), 0)
  all()
  assert.equal(writes(), 1)
  const large = Buffer.alloc(COPIED + 1)
  let written: unknown = null
  const straight = new Outgoing((octets) => {
    written = octets
  })
  straight.add(large)
  assert.equal(written, large)
})
