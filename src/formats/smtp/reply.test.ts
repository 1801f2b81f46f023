import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatReply, type Reply, reply } from './reply.ts'
import { ehloKeywords, MalformedReply, ReplyReader } from './reply-reader.ts'

const line = fc.string({ unit: fc.constantFrom(...'aB -é.'), maxLength: 20 })
const replies: fc.Arbitrary<Reply> = fc
  .tuple(
    fc.integer({ min: 200, max: 599 }),
    fc.option(fc.tuple(fc.nat(999), fc.nat(999))),
    fc.array(line, { minLength: 1, maxLength: 5 }),
  )
  .map(([code, detail, lines]) => {
    const digit = Math.floor(code / 100)
    return reply(code, detail && digit !== 3 ? `${digit}.${detail.join('.')}` : null, ...lines)
  })

describe('replies', () => {
  test('what is written is read, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(replies, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (all, step) => {
        const octets = Buffer.from(all.map(formatReply).join(''))
        const reader = new ReplyReader()
        const read: Reply[] = []
        for (let at = 0; at < octets.length; at += step) read.push(...reader.push(octets.subarray(at, at + step)))
        assert.deepEqual(read, all)
        assert.equal(reader.pending, false)
      }),
    )
  })

  test('every line carries the enhanced code, and no line can be smuggled in', () => {
    assert.equal(
      formatReply(reply(550, '5.1.1', 'No', 'such\r\n250 user')),
      '550-5.1.1 No\r\n550 5.1.1 such??250 user\r\n',
    )
    assert.equal(formatReply(reply(354, null, 'Go')), '354 Go\r\n')
    assert.equal(formatReply(reply(250, null)), '250 \r\n')
    assert.ok(formatReply(reply(250, '2.0.0', 'x'.repeat(1000))).length <= 512)
  })

  test('what servers send', () => {
    const read = (text: string) => new ReplyReader().push(Buffer.from(text))
    assert.deepEqual(read('250\r\n'), [reply(250, null, '')])
    assert.deepEqual(read('250 2.1.0 Ok\n'), [reply(250, '2.1.0', 'Ok')])
    assert.deepEqual(read('250 5.0.0 things\r\n'), [reply(250, null, '5.0.0 things')])
    assert.deepEqual(read('550-5.7.1 Blocked\r\n550-see\r\n550 5.7.1\r\n'), [reply(550, '5.7.1', 'Blocked', 'see', '')])
  })

  test('what no server sends', () => {
    for (const text of [
      'hello\r\n',
      '99 x\r\n',
      '250-a\r\n251 b\r\n',
      '2500 x\r\n',
      `250 ${'x'.repeat(5000)}`,
      '250-x\r\n'.repeat(300),
    ]) {
      assert.throws(() => new ReplyReader().push(Buffer.from(text)), MalformedReply, text.slice(0, 20))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        try {
          new ReplyReader().push(octets)
        } catch (error) {
          assert.ok(error instanceof MalformedReply)
        }
      }),
    )
  })

  test('part of a reply is pending', () => {
    const reader = new ReplyReader()
    reader.push(Buffer.from('220 ready\r\n250 sm'))
    assert.equal(reader.pending, true)
  })

  test('EHLO keywords', () => {
    const answer = reply(
      250,
      null,
      'mx.example.test at your service',
      'SIZE 1000',
      'pipelining',
      'AUTH=LOGIN',
      'AUTH PLAIN',
    )
    assert.deepEqual(
      [...ehloKeywords(answer)],
      [
        ['SIZE', '1000'],
        ['PIPELINING', ''],
        ['AUTH', ''],
      ],
    )
  })
})
