import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toWireForm } from './wire-form.ts'

const wire = (text: string) => Buffer.from(toWireForm(Buffer.from(text, 'latin1'))).toString('latin1')

test('bare LF becomes CRLF, wherever it stands', () => {
  assert.equal(wire('A: b\nC: d\n\nbody\n\n'), 'A: b\r\nC: d\r\n\r\nbody\r\n\r\n')
  assert.equal(wire('\nbody'), '\r\nbody')
  assert.equal(wire('A: b\r\nC: d\n\r\nbody\n'), 'A: b\r\nC: d\r\n\r\nbody\r\n', 'a header of both kinds is a file')
  assert.equal(wire('A: b\n\nno end\rbare CR'), 'A: b\r\n\r\nno end\rbare CR')
})

test('what has CRLF in its whole header is in wire form already, whatever its body holds', () => {
  for (const text of ['A: b\r\n\r\nbody\n\r\nmore\n', 'A: b\r\n', 'A: b', '', '\r\n\nbody\n'])
    assert.equal(wire(text), text)
  const content = Buffer.from('A: b\r\n\r\nbody\n')
  assert.equal(toWireForm(content), content, 'not even copied')
})

test('wire form stays wire form, and differs in CR before LF alone', () => {
  const text = fc.array(fc.constantFrom('\n', '\r', '\r\n', 'a', ': ', '\0', 'é'), { maxLength: 60 })
  fc.assert(
    fc.property(text, (pieces) => {
      const given = pieces.join('')
      const once = wire(given)
      assert.equal(wire(once), once)
      assert.equal(once.replaceAll('\r\n', '\n'), given.replaceAll('\r\n', '\n'))
    }),
  )
})
