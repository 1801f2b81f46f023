import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { editHeader, fieldValue, fieldValues, formatField, scanHeader, UnsafeField } from './header.ts'

const octets = (text: string) => Buffer.from(text, 'latin1')

test('finds fields, folds and the end of the header', () => {
  const message = octets('From: a@b\r\nSubject: one\r\n two\r\n\tthree \r\nX-Empty:\r\n\r\nSubject: body\r\n')
  const header = scanHeader(message)
  assert.deepEqual(
    header.fields.map((field) => [field.name, fieldValue(message, field)]),
    [
      ['from', 'a@b'],
      ['subject', 'one two\tthree'],
      ['x-empty', ''],
    ],
  )
  assert.equal(message.subarray(header.range.end).toString(), 'Subject: body\r\n')
  assert.deepEqual(fieldValues(message, header, 'subject'), ['one two\tthree'])
})

test('reads bare LF, obsolete blanks, junk lines and headers without an end', () => {
  const message = octets('From a@b Mon Jan  1 00:00:00\nTo : x\nnonsense\n more\n: none\nCc: y')
  const header = scanHeader(message)
  assert.deepEqual(
    header.fields.map((field) => field.name),
    ['', 'to', '', '', 'cc'],
  )
  assert.equal(header.range.end, message.length)
  assert.equal(scanHeader(octets('\r\nbody')).range.end, 2)
  assert.equal(scanHeader(octets('\nbody')).range.end, 1)
  assert.equal(scanHeader(octets('A: b\n\r\nbody')).range.end, 7)
  assert.equal(scanHeader(octets('')).range.end, 0)
  assert.equal(scanHeader(octets('\r')).range.end, 1)
})

test('blanks are ASCII blanks: raw UTF-8 stays whole', () => {
  const message = Buffer.from('Subject: voilà\r\n\r\n')
  assert.equal(Buffer.from(fieldValue(message, scanHeader(message).fields[0]!), 'latin1').toString(), 'voilà')
})

test('a header of many fields or of many megabytes stays cheap', () => {
  const crowded = scanHeader(Buffer.from(`${'a:\n'.repeat(300_000)}\nbody`))
  assert.equal(crowded.fields.length, 10_000)
  assert.equal(crowded.fields.at(-1)!.name, '')
  assert.equal(crowded.range.end, 900_001)
  assert.equal(scanHeader(Buffer.alloc(11_000_000, 'x')).range.end, 10_000_000)
})

test('puts fields in front and leaves fields out, touching nothing else', () => {
  const message = octets('Bcc: x\r\nTo: y\r\nBCC: z\r\n w\r\n\r\nbody\nBcc: stays\r\n')
  const edited = editHeader(message, scanHeader(message), 'Received: r\r\n', (field) => field.name === 'bcc')
  assert.equal(edited.toString('latin1'), 'Received: r\r\nTo: y\r\n\r\nbody\nBcc: stays\r\n')
  assert.equal(editHeader(message, scanHeader(message), '').compare(message), 0)
})

test('refuses to write what would become another field', () => {
  for (const value of ['a\r\nBcc: b', 'a\nb', 'a\rb', 'a\0b'])
    assert.throws(() => formatField('Subject', value), UnsafeField)
  for (const name of ['', 'A:B', 'A B', 'A\r\nB', 'Ä']) assert.throws(() => formatField(name, 'x'), UnsafeField)
})

test('folding is undone by reading', () => {
  const value = fc.array(fc.stringMatching(/^[!-~]{1,30}$/), { maxLength: 30 }).map((words) => words.join(' '))
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z-]{1,20}$/), value, (name, text) => {
      const written = Buffer.from(formatField(name, text))
      const header = scanHeader(written)
      assert.equal(header.fields.length, 1)
      assert.equal(header.fields[0]!.name, name.toLowerCase())
      assert.equal(fieldValue(written, header.fields[0]!), text)
      for (const line of written.toString().split('\r\n')) assert.ok(line.length <= 78)
    }),
  )
})

test('fields cover every octet of any header', () => {
  const piece = fc.constantFrom('a: b', 'Subject:', ' ', '\t', '\r', '\n', '\r\n', '--x', ':', 'é', '\0', 'junk')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const message = octets(pieces.join(''))
      const { fields, range } = scanHeader(message)
      let at = 0
      for (const field of fields) {
        assert.equal(field.start, at)
        assert.ok(field.end > at && field.value <= field.end)
        at = field.end
      }
      assert.ok(['', '\n', '\r\n'].includes(message.toString('latin1', at, range.end)))
    }),
  )
})
