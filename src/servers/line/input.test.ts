import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Input } from './input.ts'

const CAP = 12

/** All lines in these pieces, and what is left. */
function linesOf(pieces: readonly string[]): { lines: string[]; rest: number } {
  const input = new Input()
  const lines: string[] = []
  for (const piece of pieces) {
    input.push(Buffer.from(piece))
    for (let line = input.takeLine(CAP); line !== null; line = input.takeLine(CAP))
      lines.push(typeof line === 'string' ? `(${line})` : line.toString())
  }
  return { lines, rest: input.length }
}

test('lines are the same however the octets are cut', () => {
  const part = fc.constantFrom('\r\n', '\n', '\r', 'a', 'bcd', '0123456789', '')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), fc.array(fc.nat(60), { maxLength: 6 }), (parts, cuts) => {
      const whole = parts.join('')
      const ends = [...new Set([...cuts.filter((cut) => cut < whole.length), whole.length])].sort((a, b) => a - b)
      const pieces = ends.map((end, at) => whole.slice(at === 0 ? 0 : ends[at - 1], end))
      const expected = whole
        .split(/(?<=\n)/)
        .filter((line) => line.endsWith('\n'))
        .map((line) => {
          if (line.length > CAP) return '(too-long)'
          return line.endsWith('\r\n') ? line.slice(0, -2) : '(lone-lf)'
        })
      assert.deepEqual(linesOf(pieces).lines, expected)
    }),
    { numRuns: 1000 },
  )
})

test('a line without end is not kept', () => {
  assert.deepEqual(linesOf(['0123456789', '0123456789', '0123456789']), { lines: [], rest: 0 })
})

test('where a lone LF is taken, it ends a line', () => {
  const input = new Input(true)
  input.push(Buffer.from('one\ntwo\r\n\nthree'))
  assert.deepEqual(
    [input, input, input].map((one) => String(one.takeLine(CAP))),
    ['one', 'two', ''],
  )
  assert.equal(input.takeLine(CAP), null)
})

test('octets that were taken too much come first again', () => {
  const input = new Input()
  input.push(Buffer.from('one\r\ntwo'))
  input.push(Buffer.from('\r\n'))
  const piece = input.takePiece()!
  input.unread(piece.subarray(5))
  assert.equal(input.length, 5)
  assert.equal(String(input.takeLine(CAP)), 'two')
  assert.equal(input.length, 0)
})

test('the halves of a line are wiped: the line is the only copy', () => {
  const input = new Input()
  const halves = [Buffer.from('AUTH PL'), Buffer.from('AIN\r\n')]
  for (const half of halves) input.push(half)
  assert.equal(String(input.takeLine(100)), 'AUTH PLAIN')
  assert.ok(Buffer.concat(halves).every((octet) => octet === 0))
})
