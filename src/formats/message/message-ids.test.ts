import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanHeader } from './header.ts'
import { answeredIds, messageIdsIn } from './message-ids.ts'

const answered = (lines: readonly string[], most = 50) => {
  const octets = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
  return answeredIds(octets, scanHeader(octets), most)
}

test('one spelling for every way to write an identifier', () => {
  for (const value of ['<a@b>', 'a@b', ' < a@b > ', 'text <a@b> (more)', '<a\r\n @b>', '<a@b'])
    assert.deepEqual(messageIdsIn(value), ['a@b'], value)
  assert.deepEqual(messageIdsIn('<a@b><c@d> <A@b>'), ['a@b', 'c@d', 'A@b'])
  for (const value of ['', ' ', '<>', '<> <>']) assert.deepEqual(messageIdsIn(value), [], value)
})

test('what is written comes back, whatever stands around it', () => {
  const id = fc.string({ minLength: 1, unit: fc.constantFrom(...'abc.@!#') })
  const between = fc.string({ unit: fc.constantFrom(...' ,()x\t') })
  fc.assert(
    fc.property(fc.array(fc.tuple(between, id), { minLength: 1 }), (pairs) => {
      const value = pairs.map(([before, one]) => `${before}<${one}>`).join('')
      assert.deepEqual(
        messageIdsIn(value),
        pairs.map(([, one]) => one),
      )
    }),
  )
})

test('answers and forwards name what they may quote, folded and in several fields; the last ones count', () => {
  const lines = ['References: <a@x>', ' <b@x>', 'References: <c@x>', 'Message-ID: <own@x>', 'In-Reply-To: <b@x> <d@x>']
  assert.deepEqual(answered(lines), ['a@x', 'c@x', 'b@x', 'd@x'])
  assert.deepEqual(answered(lines, 2), ['b@x', 'd@x'])
  assert.deepEqual(answered(['X-Forwarded-Message-Id: <f@x>']), ['f@x'])
  assert.deepEqual(answered(['Subject: <a@x>']), [])
})
