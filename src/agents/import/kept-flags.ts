import type { Bytes } from '#lib/bytes.ts'

const SYSTEM_FLAGS = new Map(
  ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'].map((flag) => [flag.toLowerCase(), flag]),
)

/** The store's limits (custody/store/flags.ts). */
const KEYWORDS = 64
const KEYWORD_LENGTH = 100

/** RFC 3501 §9 flag-keyword is an atom: everything that is told to IMAP clients as a flag must be one. */
const ATOM = /^[!#$&'+-[^-z|}~]+$/

/** Those that can be kept, each once; what is no flag of ours or no keyword is left out. */
export function keptFlags(flags: readonly string[]): readonly string[] {
  const kept = new Map<string, string>()
  let keywords = 0
  for (const flag of flags) {
    const lower = flag.toLowerCase()
    const system = SYSTEM_FLAGS.get(lower)
    if (system) kept.set(lower, system)
    else if (flag.length <= KEYWORD_LENGTH && ATOM.test(flag) && !kept.has(lower) && keywords < KEYWORDS) {
      kept.set(lower, flag)
      keywords++
    }
  }
  return [...kept.values()]
}

/** Text of a header or file as flags: words between blanks. */
export function words(octets: Bytes | string): readonly string[] {
  return octets
    .toString()
    .split(/[ \t\r\n]+/)
    .filter((word) => word !== '')
}
