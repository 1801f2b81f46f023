import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { multiLine, topEnd } from './multi-line.ts'

const said = (content: Buffer, end?: number): Buffer =>
  Buffer.concat([...multiLine(content, end)].map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))

/** What a client makes of a response that ends where RFC 1939 §3 says. */
function understood(response: string): string {
  const lines = response.split('\r\n')
  const end = lines.indexOf('.')
  assert.deepEqual(lines.slice(end), ['.', ''])
  return lines
    .slice(0, end)
    .map((line) => `${line.replace(/^\./, '')}\r\n`)
    .join('')
}

const line = fc.constantFrom('', '.', '..', '. x', 'x.', 'text', 'x'.repeat(70_000))
const message = fc.array(line, { maxLength: 12 }).map((lines) => lines.map((one) => `${one}\r\n`).join(''))

test('what is sent is what a client reads', () => {
  fc.assert(
    fc.property(message, (text) => assert.equal(understood(said(Buffer.from(text)).toString('latin1')), text)),
    { numRuns: 300 },
  )
})

test('no line of a message is a lone dot on the wire, whatever ends its lines', () => {
  const part = fc.constantFrom('\r\n', '\n', '\r', '.', 'x', 'x'.repeat(65_535), '\n.\n')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const response = said(Buffer.from(parts.join(''))).toString('latin1')
      assert.ok(response.endsWith('.\r\n'))
      const lines = response.slice(0, -2).split(/\r?\n/)
      assert.deepEqual(
        lines.flatMap((one, index) => (one === '.' ? [index] : [])),
        [lines.length - 1],
      )
    }),
    { numRuns: 500 },
  )
})

test('content without dots is not copied', () => {
  const content = Buffer.alloc(200_000, 'x\r\n')
  for (const piece of multiLine(content)) if (typeof piece !== 'string') assert.equal(piece.buffer, content.buffer)
})

test('a message that ends within a line is ended', () => {
  assert.equal(String(said(Buffer.from('a: b\r\n\r\nend'))), 'a: b\r\n\r\nend\r\n.\r\n')
  assert.equal(String(said(Buffer.from('lone\n'))), 'lone\n\r\n.\r\n')
  assert.equal(String(said(Buffer.alloc(0))), '.\r\n')
})

test('TOP counts lines of the body', () => {
  const header = 'a: b\r\nc: d\r\n\r\n'
  const content = Buffer.from(`${header}one\r\n.two\r\nthree`)
  const top = (lines: number) => String(content.subarray(0, topEnd(content, lines)))
  assert.equal(top(0), header)
  assert.equal(top(1), `${header}one\r\n`)
  assert.equal(top(2), `${header}one\r\n.two\r\n`)
  for (const lines of [3, 4, 15, Number.MAX_SAFE_INTEGER]) assert.equal(top(lines), String(content))
  for (const odd of ['', 'a: b', 'a: b\r\n', '\r\n', '\n\n'])
    for (const lines of [0, 1, 9]) assert.ok(topEnd(Buffer.from(odd), lines) <= odd.length)
  assert.equal(topEnd(Buffer.from('\r\nbody\r\n'), 0), 2)
})

test('TOP is what splitting by lines says', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', 'x', '.'), { maxLength: 10 }), fc.nat(12), (lines, count) => {
      const content = lines.map((one) => `${one}\r\n`).join('')
      const empty = lines.indexOf('')
      const expected = empty < 0 ? lines : lines.slice(0, empty + 1 + count)
      assert.equal(content.slice(0, topEnd(Buffer.from(content), count)), expected.map((one) => `${one}\r\n`).join(''))
    }),
  )
})
