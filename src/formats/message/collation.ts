/** How SORT and THREAD compare text: i;unicode-casemap (RFC 5051 §2), as far as the tables of the platform go. */

/** Texts are equal when these are; otherwise compareCollated says which comes first. */
export function collated(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toUpperCase()
  let cased = ''
  for (const char of text.toWellFormed()) cased += titlecase(char)
  return cased.normalize('NFKD')
}

/** The simple mapping of one character to one. */
function titlecase(char: string): string {
  const mapped = TITLECASE.get(char) ?? char.toUpperCase()
  return mapped.length === char.length || [...mapped].length === 1 ? mapped : char
}

/** Letters whose title case is not their upper case. */
const TITLECASE = new Map([...'ǄǅǆǇǈǉǊǋǌǱǲǳ'].map((char, index) => [char, 'ǅǈǋǲ'[Math.floor(index / 3)]!]))

/** By code point, which is the order of their octets in UTF-8. */
export function compareCollated(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (one === other) continue
    // Surrogates stand for what is beyond all other code units.
    const swapped = one >= 0xd800 && other >= 0xd800 && isSurrogate(one) !== isSurrogate(other)
    if (swapped) return isSurrogate(one) ? 1 : -1
    return one - other
  }
  return a.length - b.length
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff
