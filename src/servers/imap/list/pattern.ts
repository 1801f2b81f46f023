/** LIST patterns (RFC 3501 §6.3.8): `*` matches anything, `%` anything within one level. */
import { no } from '../imap-error.ts'
import { DELIMITER } from '../mailbox-name.ts'

const LONGEST_PATTERN = 1000
const MOST_WILDCARDS = 20

/** A test for names, in time proportional to the lengths of name and pattern. Throws NO for a pattern beyond reason. */
export function listPattern(reference: string, pattern: string): (name: string) => boolean {
  const written = reference + pattern
  const asWritten = tester(written)
  // RFC 3501 §5.1: INBOX has no case, so neither have patterns where they mean it.
  const inbox = tester(written.replace(/[a-z]+/g, (letters) => letters.toUpperCase()))
  const belowInbox = tester(written.replace(/^inbox/i, 'INBOX'))
  return (name) => asWritten(name) || (name === 'INBOX' ? inbox(name) : name.startsWith('INBOX/') && belowInbox(name))
}

function tester(pattern: string): (name: string) => boolean {
  const whole = pattern.replace(/[*%]*\*[*%]*/g, '*')
  const simple = whole.replace(/%+/g, '%')
  const wildcards = simple.match(/[*%]/g)?.length ?? 0
  if (simple.length > LONGEST_PATTERN || wildcards > MOST_WILDCARDS) throw no('LIMIT', 'This pattern is too long')
  if (wildcards === 0) return (name) => name === simple
  const prefix = simple.slice(0, simple.search(/[*%]/))
  const rest = simple.slice(prefix.length)
  if (rest === '*') return (name) => name.startsWith(prefix)
  return (name) => name.startsWith(prefix) && matches(rest, name.slice(prefix.length))
}

/** Walks all places of the pattern where the name may be, at once: nothing to backtrack. */
function matches(pattern: string, name: string): boolean {
  let places = new Uint8Array(pattern.length + 1)
  places[0] = 1
  skipWildcards(pattern, places)
  for (let at = 0; at < name.length; at++) {
    const character = name[at]!
    const next = new Uint8Array(pattern.length + 1)
    let alive = false
    for (let place = 0; place < pattern.length; place++) {
      if (!places[place]) continue
      const wanted = pattern[place]!
      if (wanted === '*' || (wanted === '%' && character !== DELIMITER)) next[place] = 1
      else if (wanted === character) next[place + 1] = 1
      else continue
      alive = true
    }
    if (!alive) return false
    skipWildcards(pattern, next)
    places = next
  }
  return places[pattern.length] === 1
}

/** A wildcard may match nothing. */
function skipWildcards(pattern: string, places: Uint8Array): void {
  for (let place = 0; place < pattern.length; place++)
    if (places[place] && (pattern[place] === '*' || pattern[place] === '%')) places[place + 1] = 1
}
