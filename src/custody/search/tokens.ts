/**
 * Text as tokens that are the text: nothing is left out, so that whether a text holds another can be seen from tokens and their places
 * alone. Two kinds: words, with one blank between two neighbours that both are words; and single characters that have no blank beside
 * them, which are line ends, tabs, and the letters of scripts that write no blanks between words.
 *
 * `a  b` is the words `a`, empty, `b`. Between such a character and a blank stands an empty word: `語 a` is `語`, empty, `a`.
 */

const TAB = 9
const LF = 10
const SPACE = 32

/** Scripts without blanks: Thai, Lao, Myanmar, Khmer; kana, Han, and Han beyond the basic plane by the first half of its pairs. */
const UNSPACED = [
  [0x0e00, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x3040, 0x30ff],
  [0x3400, 0x9fff],
  [0xd840, 0xd8bf],
  [0xf900, 0xfaff],
] as const

function isUnspaced(code: number): boolean {
  for (const [first, last] of UNSPACED) if (code <= last) return code >= first
  return false
}

/** Whether the character that begins there is a token of its own. */
function standsAlone(code: number): boolean {
  return code < 0x0e00 ? code === LF || code === TAB : isUnspaced(code)
}

/** Of a token, not of a text. */
export function isWord(token: string): boolean {
  return token === '' || !standsAlone(token.charCodeAt(0))
}

export function eachToken(text: string, take: (token: string) => void): void {
  let start = 0
  /** A blank was before: a word follows, if only the empty one. */
  let pending = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === SPACE) {
      take(text.slice(start, at))
      start = at + 1
      pending = true
    } else if (standsAlone(code)) {
      if (pending || at > start) take(text.slice(start, at))
      pending = false
      start = at + (code >= 0xd840 && code <= 0xd8bf ? 2 : 1)
      take(text.slice(at, start))
      at = start - 1
    }
  }
  if (pending || text.length > start) take(text.slice(start))
}

/** How a token of a wanted text stands to the token in its place; `any` is any word at all. */
export type Fit = 'whole' | 'begin' | 'end' | 'within' | 'any'

export interface WantedToken {
  readonly text: string
  readonly fit: Fit
}

/** What a text that holds `wanted` anywhere holds in a row; with `anchored`, one that begins with it. */
export function wantedTokens(wanted: string, anchored = false): readonly WantedToken[] {
  const texts: string[] = []
  eachToken(wanted, (token) => texts.push(token))
  return texts.map((text, index) => {
    if (!isWord(text)) return { text, fit: 'whole' }
    const opensLeft = index === 0 && !anchored
    const opensRight = index === texts.length - 1
    if (!opensLeft && !opensRight) return { text, fit: 'whole' }
    if (text === '') return { text, fit: 'any' }
    return { text, fit: opensLeft && opensRight ? 'within' : opensLeft ? 'end' : 'begin' }
  })
}
