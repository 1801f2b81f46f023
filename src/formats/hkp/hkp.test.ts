import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '#formats/message/address.ts'
import { parseHex, parseIdentity, parseQuery, parseSearch, percentDecoded } from './hkp.ts'

const FINGERPRINT = 'FFCAC070E7D93066FC3A054DF83DE2D03A365250'

test('one exact name is a search', () => {
  const ann = { kind: 'address', address: { local: 'ann', domain: 'alpha.test' } }
  assert.deepEqual(parseSearch('ann@alpha.test'), ann)
  assert.deepEqual(parseSearch(' <ann@ALPHA.test> '), ann)
  assert.deepEqual(parseSearch(`0x${FINGERPRINT.toLowerCase()}`), {
    kind: 'fingerprint',
    version: 4,
    fingerprint: FINGERPRINT,
  })
  assert.deepEqual(parseSearch('0XF83DE2D03A365250'), { kind: 'key-id', keyId: 'F83DE2D03A365250' })
  assert.deepEqual(parseSearch(`0x${'ab'.repeat(32)}`), {
    kind: 'fingerprint',
    version: 6,
    fingerprint: 'AB'.repeat(32),
  })
})

test('everything else is none', () => {
  const refused = [
    ...['', ' ', 'ann', 'alpha.test', '@alpha.test', 'ann@', 'Ann <ann@alpha.test>', '<ann@alpha.test'],
    ...['*@alpha.test', 'a*@alpha.test', '*', '%', 'ann@alpha.test bob@alpha.test', 'ann@alpha.test\r\nX: y'],
    ...['0x', '0x3A365250', `0x${FINGERPRINT}0`, `0x${'AB'.repeat(16)}`, FINGERPRINT, '0xnothexdigits1234', '0x0x'],
  ]
  for (const text of refused) assert.equal(parseSearch(text), null, text)
})

const anything = fc.uint8Array({ maxLength: 80 }).map((octets) => Buffer.from(octets).toString('utf8'))
const likely = fc.string({ unit: fc.constantFrom(...'a.@<>0xF* '), maxLength: 20 })

test('whatever is asked, the answer is one name or none', () => {
  fc.assert(
    fc.property(fc.oneof(anything, likely), (text) => {
      const term = parseSearch(text)
      if (term?.kind === 'address') assert.deepEqual(parseIdentity(formatAddress(term.address)), term)
      if (term?.kind === 'key-id') assert.deepEqual(parseHex(term.keyId), term)
      if (term?.kind === 'fingerprint') assert.deepEqual(parseSearch(`0x${term.fingerprint}`), term)
    }),
  )
})

test('a query says what was put into it', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), { selector: ([key]) => key }),
      (pairs) => {
        const query = pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
        assert.deepEqual([...parseQuery(query)!], pairs)
        assert.deepEqual([...parseQuery(query.replaceAll('%20', '+'))!], pairs)
      },
    ),
  )
})

test('a query that two programs could read in two ways is none', () => {
  assert.equal(parseQuery('op=get&op=index'), null)
  assert.equal(parseQuery('op=get&o%70=index'), null)
  assert.equal(parseQuery('search=%'), null)
  assert.equal(parseQuery('search=%ff'), null)
  assert.deepEqual(
    [...parseQuery('op&&search=a=b')!],
    [
      ['op', ''],
      ['search', 'a=b'],
    ],
  )
  fc.assert(fc.property(anything, (text) => void parseQuery(text)))
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) =>
      assert.equal(percentDecoded(encodeURIComponent(text)), text),
    ),
  )
})
