import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { claimsResults, formatResultValue, parseAuthservId } from './authentication-results.ts'
import { fieldValue, scanHeader } from './header.ts'

test('the examples of RFC 8601 Appendix B name who wrote them', () => {
  const examples: readonly [string, string][] = [
    ['example.org 1; none', 'example.org'],
    ['example.com;\tspf=pass smtp.mailfrom=example.net', 'example.com'],
    ['example.com; dkim=pass (good signature) header.d=example.com', 'example.com'],
    [
      'foo.example.net (foobar) 1 (baz);\tdkim (Because I like it) / 1 (One yay) = (wait for it) fail',
      'foo.example.net',
    ],
  ]
  for (const [value, id] of examples) assert.equal(parseAuthservId(value), id)
})

test('every spelling of our name is our name', () => {
  for (const value of [
    'mx.alpha.test; x',
    'MX.Alpha.Test;x',
    ' mx.alpha.test ; x',
    '"mx.alpha.test"; x',
    '"mx\\.alpha.test"; x',
    '(a (b) \\) c)mx.alpha.test(d); x',
    'mx.alpha.test 1; x',
    'mx.alpha.test\t(v) 12 (w) ; x',
    'mx.alpha.test',
    '" mx.alpha.test "; x',
  ]) {
    assert.equal(parseAuthservId(value), 'mx.alpha.test', value)
  }
})

test('what readers could read in more than one way has no name', () => {
  for (const value of [
    '',
    ';',
    '; dkim=pass',
    '()',
    '(mx.alpha.test; x',
    '"mx.alpha.test; x',
    'mx.alpha.test dkim=pass; x',
    'mx.alpha.test 1 other; x',
    'evil.test mx.alpha.test; x',
    'mx.alpha.test, other; x',
    'mx.alpha.test(; x',
    'a@mx.alpha.test; x',
  ]) {
    assert.equal(parseAuthservId(value), null, value)
  }
})

const claims = (field: string, us = 'MX.alpha.test') => {
  const octets = Buffer.from(`${field}\r\n`)
  return claimsResults(octets, scanHeader(octets).fields[0]!, us)
}

test('a field is ours to write by name and by what it names', () => {
  assert.ok(claims('Authentication-Results: mx.alpha.test; dkim=pass'))
  assert.ok(claims('AUTHENTICATION-RESULTS \t:\r\n mx.alpha.test;\r\n dkim=pass'))
  assert.ok(claims('Authentication-Results: mx.\0alpha.test; dkim=pass'))
  assert.ok(claims('Authentication-Results: nobody knows; dkim=pass'))
  assert.ok(!claims('Authentication-Results: mx.beta.test; dkim=pass'))
  assert.ok(!claims('ARC-Authentication-Results: i=1; mx.alpha.test; dkim=pass'))
})

test('other spellings of the same host, and what only some readers take for the field', () => {
  assert.ok(claims('Authentication-Results: mx.alpha.test.; dkim=pass'))
  assert.ok(claims('Authentication-Results: =?utf-8?q?mx.alpha.test?=; dkim=pass'))
  assert.ok(claims('Authentication-Results: MX.Bücher.test; dkim=pass', 'mx.xn--bcher-kva.test'))
  assert.ok(claims('Authentication-Results: mx.xn--bcher-kva.test; dkim=pass', 'mx.bücher.test'))
  assert.ok(!claims('Authentication-Results: mx.bücherei.test; dkim=pass', 'mx.xn--bcher-kva.test'))
  assert.ok(claims('authentication-Results\r\n : mx.alpha.test; dkim=pass'))
  assert.ok(claims(`Authentication-Results${' '.repeat(2000)}: mx.alpha.test; dkim=pass`))
  assert.ok(!claims('Authentication-Resultsx: mx.alpha.test; dkim=pass'))
})

test('whatever the value is, it is read once or not at all, and what we write is read as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const id = parseAuthservId(value)
      assert.ok(id === null || id.length > 0)
    }),
  )
  const pieces = fc.constantFrom('(', ')', '"', '\\', ';', ' ', 'mx.alpha.test', '1', '\t', '=', '/')
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (all) => {
      const id = parseAuthservId(all.join(''))
      assert.ok(id === null || id.length > 0)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      const octets = Buffer.from(`Authentication-Results: ${formatResultValue(text)}; none\r\n\r\n`)
      const { fields } = scanHeader(octets)
      assert.equal(fields.length, 1)
      const read = parseAuthservId(fieldValue(octets, fields[0]!))
      const meant = text
        .replace(/[\x00-\x1f\x7f]/g, ' ')
        .trim()
        .toLowerCase()
      if (meant !== '' && /^[ -~]*$/.test(meant)) assert.equal(read, meant)
    }),
  )
})
