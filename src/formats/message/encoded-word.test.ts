import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDisposition } from './content-fields.ts'
import { decodeText, encodeText, formatParameter, parameterText } from './encoded-word.ts'

const unicode = fc.uint16Array({ maxLength: 20 }).map((units) => String.fromCharCode(...units).toWellFormed())

test('decodes the examples of RFC 2047 §8', () => {
  assert.equal(decodeText('=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>'), 'Keith Moore <moore@cs.utk.edu>')
  assert.equal(decodeText('=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?='), 'Keld Jørn Simonsen')
  assert.equal(
    decodeText(
      '=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=',
    ),
    'If you can read this you understand the example.',
  )
  assert.equal(decodeText('(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)'), '(ab)')
  assert.equal(decodeText('(=?ISO-8859-1?Q?a?= b)'), '(a b)')
  assert.equal(decodeText('(=?ISO-8859-1?Q?a_b?=)'), '(a b)')
})

test('decodes what clients get wrong, and leaves the rest alone', () => {
  assert.equal(decodeText('=?utf-8?B?4pw=?= =?utf-8?B?kw==?='), '✓', 'a character split over two words')
  assert.equal(decodeText('=?utf-8*de?q?gr=C3=BC=c3=9fe?='), 'grüße')
  assert.equal(decodeText('x=?utf-8?q?y?=z'), 'xyz')
  assert.equal(decodeText('=?no-such?q?a?= =?utf-8?x?a?= =?utf-8?q?a ?'), '=?no-such?q?a?= =?utf-8?x?a?= =?utf-8?q?a ?')
  assert.equal(decodeText('=?utf-8?q?=?='), '=')
  assert.equal(decodeText(Buffer.from('grüße').toString('latin1')), 'grüße')
  assert.equal(decodeText('gr\xfc\xdfe'), 'grüße')
})

test('many broken words, many words and words in many unknown charsets cost little', () => {
  const broken = '=?utf-8?q?'.repeat(1_000_000)
  assert.equal(decodeText(broken), broken)
  const words = '=?utf-8?q?a?= '.repeat(500_000)
  assert.ok(decodeText(words).startsWith('aaaa'))
  const unknown = Array.from({ length: 200_000 }, (_, number) => `=?x${number}?q?a?=`).join('')
  assert.equal(decodeText(unknown), unknown)
})

test('decodes RFC 2231 parameters', () => {
  const disposition = parseDisposition(
    "attachment; filename*0*=us-ascii'en'This%20is%20even%20more%20; filename*1*=%2A%2A%2Afun%2A%2A%2A%20; filename*2=\"isn't it!\"",
  )!
  assert.equal(parameterText(disposition.parameters, 'filename'), "This is even more ***fun*** isn't it!")
  assert.equal(parameterText(parseDisposition("x; a=1; a*=utf-8''%e2%9c%93")!.parameters, 'a'), '✓')
  assert.equal(parameterText(parseDisposition('x; a="=?utf-8?q?=e2=9c=93?="')!.parameters, 'a'), '✓')
  assert.equal(parameterText(parseDisposition('x')!.parameters, 'a'), null)
})

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), unicode)

test('encoding is undone by decoding, in ASCII words of legal length', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const encoded = encodeText(text)
      assert.match(encoded, /^[\x20-\x7e]*$/)
      if (encoded !== text) for (const word of encoded.split(' ')) assert.ok(word.length <= 75)
      assert.equal(decodeText(encoded), text)
    }),
  )
  fc.assert(
    fc.property(anyText, (text) => {
      const { parameters } = parseDisposition(`attachment; ${formatParameter('filename', text)}`)!
      fc.pre(!text.includes('=?'))
      assert.equal(parameterText(parameters, 'filename'), text)
    }),
  )
})

test('any raw text decodes to something', () => {
  const piece = fc.constantFrom('=?', '?=', '?', 'utf-8', 'q', 'b', '=', 'AA', '\xff', '=E2', ' ', 'x')
  fc.assert(fc.property(fc.array(piece), (pieces) => assert.equal(typeof decodeText(pieces.join('')), 'string')))
})
