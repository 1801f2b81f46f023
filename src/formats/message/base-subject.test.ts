import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { baseSubject } from './base-subject.ts'
import { collated, compareCollated } from './collation.ts'

const cases: readonly (readonly [raw: string, text: string, isReply: boolean])[] = [
  ['Lunch', 'Lunch', false],
  ['Re: Lunch', 'Lunch', true],
  ['re : fw:FWD: Lunch', 'Lunch', true],
  ['Re[2]: Lunch', 'Lunch', true],
  ['RE [list] : Lunch', 'Lunch', true],
  ['[list] Re: [list] Lunch', 'Lunch', true],
  ['[list] Lunch', 'Lunch', false],
  ['[a] [b] c', 'c', false],
  ['[a][b]', '[b]', false],
  ['[list]', '[list]', false],
  ['Lunch (fwd) (Fwd)', 'Lunch', true],
  ['[Fwd: Re: Lunch (fwd)]', 'Lunch', true],
  ['[fwd: [fwd: x]]', 'x', true],
  ['[fwd: x] y', 'y', false],
  ['  Lunch\t at\r\n noon ', 'Lunch at noon', false],
  ['Re:', '', true],
  ['Re: Re', 'Re', true],
  ['Reply: x', 'Reply: x', false],
  ['=?utf-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=', 'Grüße', true],
  ['Fwd', 'Fwd', false],
  ['(fwd)', '', true],
  ['[unclosed Re: x', '[unclosed Re: x', false],
]

test('base subjects (RFC 5256 §2.1)', () => {
  for (const [raw, text, isReply] of cases) assert.deepEqual(baseSubject(raw), { text, isReply }, raw)
  assert.deepEqual(baseSubject(null), { text: '', isReply: false })
})

const pieces = fc.array(fc.constantFrom('re', 'fw', 'fwd', ':', ' ', '[', ']', '[a]', '(fwd)', '[fwd:', 'x', '\t'), {
  maxLength: 20,
})

test('a base subject is its own, and what replies put around it does not change it', () => {
  fc.assert(
    fc.property(pieces, (words) => {
      const { text } = baseSubject(words.join(''))
      assert.equal(baseSubject(text).text, text)
      if (text !== '') {
        assert.deepEqual(baseSubject(`Re: ${text}`), { text, isReply: true })
        assert.deepEqual(baseSubject(`Fwd: [list] ${text} (fwd)`), { text, isReply: true })
      }
    }),
    { numRuns: 1000 },
  )
})

test('what is long is done at once', () => {
  for (const piece of ['[a]', '[fwd:', '(fwd)', 're:', '[', 're [', ' ']) baseSubject(piece.repeat(16_000))
  baseSubject(`${'[fwd:'.repeat(8_000)}x${']'.repeat(8_000)}`)
})

test('text is compared without case, by code point', () => {
  const sorted = (...texts: string[]) => texts.sort((a, b) => compareCollated(collated(a), collated(b)))
  assert.deepEqual(sorted('b', 'A', 'a', 'B', ''), ['', 'A', 'a', 'b', 'B'])
  assert.equal(collated('Grüße'), collated('GRU\u0308ßE'))
  assert.equal(collated('ǆ'), collated('Ǆ'))
  assert.deepEqual(sorted('\u{1f600}', '\uffee', 'é', 'f'), ['é', 'f', '\uffee', '\u{1f600}'])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      const [one, other] = [collated(a), collated(b)]
      const byOctets = Buffer.compare(Buffer.from(one), Buffer.from(other))
      assert.equal(Math.sign(compareCollated(one, other)), byOctets)
    }),
  )
})
