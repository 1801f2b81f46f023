import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eachToken, isWord, wantedTokens } from './tokens.ts'

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  eachToken(text, (token) => tokens.push(token))
  return tokens
}

/** The inverse. */
function textOf(tokens: readonly string[]): string {
  let text = ''
  for (const [index, token] of tokens.entries())
    text += index > 0 && isWord(token) && isWord(tokens[index - 1]!) ? ` ${token}` : token
  return text
}

const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.', ' ', '\n', '\t', '語', '目', 'ก', '𠀀', 'é') })

test('words are parted by single blanks, other tokens stand by themselves', () => {
  assert.deepEqual(tokensOf('two words.\nnext'), ['two', 'words.', '\n', 'next'])
  assert.deepEqual(tokensOf('a  b '), ['a', '', 'b', ''])
  assert.deepEqual(tokensOf('x語𠀀 y'), ['x', '語', '𠀀', '', 'y'])
  assert.deepEqual(tokensOf(''), [])
})

test('tokens give back the text', () => {
  fc.assert(fc.property(texts, (text) => assert.equal(textOf(tokensOf(text)), text)))
})

test('the ends of what is wanted may lie within words, what is between them may not', () => {
  const fits = (text: string, anchored = false) => wantedTokens(text, anchored).map((one) => `${one.fit} ${one.text}`)
  assert.deepEqual(fits('oo'), ['within oo'])
  assert.deepEqual(fits('oo bar b'), ['end oo', 'whole bar', 'begin b'])
  assert.deepEqual(fits(' b'), ['any ', 'begin b'])
  assert.deepEqual(fits('語b'), ['whole 語', 'begin b'])
  assert.deepEqual(fits('foo b', true), ['whole foo', 'begin b'])
})

/** A place where all of it fits, found by looking at every one. */
function fitsSomewhere(text: string, wanted: string): boolean {
  const tokens = tokensOf(text)
  const asked = wantedTokens(wanted)
  return tokens.some((_, start) =>
    asked.every(({ text: one, fit }, index) => {
      const token = tokens[start + index]
      if (token === undefined) return false
      if (fit === 'any') return isWord(token)
      if (fit === 'whole') return token === one
      if (!isWord(token)) return false
      return fit === 'begin' ? token.startsWith(one) : fit === 'end' ? token.endsWith(one) : token.includes(one)
    }),
  )
}

test('tokens in a row tell exactly whether a text holds another', () => {
  const cut = fc.tuple(texts, fc.nat(), fc.nat(8)).map(([text, from, length]) => {
    const characters = [...text]
    const start = from % (characters.length + 1)
    return [text, characters.slice(start, start + length).join('')] as const
  })
  fc.assert(
    fc.property(fc.oneof(cut, fc.tuple(texts, texts)), ([text, wanted]) => {
      fc.pre(wanted !== '')
      assert.equal(fitsSomewhere(text, wanted), text.includes(wanted))
    }),
    { numRuns: 1200 },
  )
})
