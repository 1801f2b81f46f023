import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asBuffer } from '#lib/bytes.ts'
import { bytes, type Codec, integer, list, MalformedFrame, oneOf, record, text, uint32, word } from './codec.ts'
import { decodeContent, encodeFrame, FRAME_MAX, type Frame, FrameSplitter, SIGN } from './frames.ts'

const shape = record({
  name: text(200),
  secret: bytes(64),
  when: integer,
  small: uint32,
  algorithm: word('one', 'two'),
  items: list(oneOf({ none: {}, some: { value: bytes(16) } }), 10),
})

const octets = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

const values = fc.record(
  {
    name: fc.string({ maxLength: 20, unit: 'grapheme' }).filter((name) => Buffer.byteLength(name) <= 200),
    secret: octets(64),
    when: fc.maxSafeNat(),
    small: fc.nat(0xffffffff),
    algorithm: fc.constantFrom('one' as const, 'two' as const),
    items: fc.array(
      fc.oneof(
        fc.constant({ kind: 'none' as const }),
        octets(16).map((value) => ({ kind: 'some' as const, value })),
      ),
      { maxLength: 10 },
    ),
  },
  { noNullPrototype: true },
)

function framesOf(stream: Buffer, cuts: readonly number[]): Frame[] {
  const frames: Frame[] = []
  const splitter = new FrameSplitter((frame) => frames.push(frame))
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b).concat(stream.length)) {
    const chunk = Buffer.from(stream.subarray(from, cut))
    splitter.push(chunk)
    chunk.fill(0xff)
    from = cut
  }
  return frames
}

test('what is written is read, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 4 }), fc.array(fc.nat(400), { maxLength: 6 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((value, id) => encodeFrame(id, 7, shape, value)))
      const inside = cuts.filter((cut) => cut < stream.length)
      const received = framesOf(stream, inside)
      assert.deepEqual(
        received.map(({ id, kind }) => [id, kind]),
        sent.map((_, id) => [id, 7]),
      )
      assert.deepEqual(
        received.map(({ content }) => decodeContent(content, shape)),
        sent,
      )
    }),
  )
})

test('random octets are a value or a MalformedFrame, nothing else', () => {
  fc.assert(
    fc.property(octets(300), (content) => {
      try {
        decodeContent(content, shape)
      } catch (error) {
        assert.ok(error instanceof MalformedFrame)
      }
    }),
    { numRuns: 2000 },
  )
})

test('caps hold on both sides', () => {
  const tooLong = encodeFrame(1, 1, bytes(100), Buffer.alloc(100)).subarray(9)
  assert.throws(() => decodeContent(Buffer.from(tooLong), bytes(99)), MalformedFrame)
  assert.throws(() => encodeFrame(1, 1, bytes(99), Buffer.alloc(100)), RangeError)
  const many = encodeFrame(1, 1, list(uint32, 5), [1, 2, 3, 4, 5]).subarray(9)
  assert.throws(() => decodeContent(Buffer.from(many), list(uint32, 4)), MalformedFrame)
  assert.throws(() => encodeFrame(1, 1, list(uint32, 1), [1, 2]), RangeError)
  const header = Buffer.alloc(9)
  header.writeUInt32BE(FRAME_MAX + 1)
  assert.throws(() => new FrameSplitter(() => {}).push(header), MalformedFrame)
  header[8] = SIGN
  new FrameSplitter(() => {}).push(header)
  header.writeUInt32BE(65 * 1024 * 1024 + 1)
  assert.throws(() => new FrameSplitter(() => {}).push(header), MalformedFrame)
  const leftOver = Buffer.concat([asBuffer(many), Buffer.of(0)])
  assert.throws(() => decodeContent(leftOver, list(uint32, 5) as Codec<unknown>), MalformedFrame)
})
