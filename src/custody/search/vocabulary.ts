import { sumsBetween } from './octet-sink.ts'
import type { ShardHead, ShardWords } from './shard.ts'
import type { WantedToken } from './tokens.ts'

/** Numbers of the tokens that a wanted one fits, ascending. Not for one that any word fits. */
export function* termsFitting({ vocabulary, tokens }: ShardWords, { text, fit }: WantedToken): Generator<number> {
  const before = fit === 'whole' || fit === 'begin' ? '\0' : ''
  const after = fit === 'whole' || fit === 'end' ? '\0' : ''
  const needle = Buffer.from(`${before}${text}${after}`)
  const last = tokens.length - 2
  let term = 0
  for (let at = vocabulary.indexOf(needle); at >= 0 && term <= last; at = vocabulary.indexOf(needle, at)) {
    const found = at + before.length
    term = termAt(tokens, term, found)
    yield term
    if (fit === 'whole') return
    // From the NUL before the next token.
    at = tokens[++term]! - 1
  }
}

/** The token in which an octet of the vocabulary is; not before the token `low`. */
function termAt(tokens: Uint32Array, low: number, octet: number): number {
  // Many hits are near each other.
  let step = 1
  let high = low + 1
  while (high < tokens.length - 1 && tokens[high]! <= octet) {
    low = high
    high += step
    step *= 2
  }
  if (high > tokens.length - 1) high = tokens.length - 1
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (tokens[middle]! <= octet) low = middle
    else high = middle
  }
  return low
}

/** Marks the documents that have the token in one of these areas; counts down those that lack the mark. */
export function markSections(
  { head, words }: { readonly head: ShardHead; readonly words: ShardWords },
  term: number,
  mask: Uint8Array,
  marks: Uint8Array,
  lacking: { left: number },
): void {
  const { sectionAreas, sectionDocuments } = head
  const { sections, sectionLists } = words
  for (const section of sumsBetween(sections, sectionLists[term]!, sectionLists[term + 1]!)) {
    if (!mask[sectionAreas[section]!]) continue
    const document = sectionDocuments[section]!
    if (marks[document]) continue
    marks[document] = 1
    lacking.left--
  }
}
