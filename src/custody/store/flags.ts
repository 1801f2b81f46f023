/**
 * Flags as they are stored: a bit for each system flag (RFC 3501 §2.3.2) and the keywords as one text, so that a row of a
 * large mailbox costs no list of its own. `\Recent` and unknown system flags are never stored.
 */
import { type FlagChange, MailboxRefused, TooManyFlags } from './mail-store.ts'

export const SEEN = 1
export const DELETED = 8
const SYSTEM_FLAGS = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'] as const

export const KEYWORDS_PER_MESSAGE = 64
export const KEYWORD_LENGTH = 100
export const KEYWORDS_PER_MAILBOX = 1000

export interface FlagSet {
  readonly system: number
  /** Keywords separated by spaces, case as first given. */
  readonly keywords: string
}

function systemBit(flag: string): number {
  const lower = flag.toLowerCase()
  const index = SYSTEM_FLAGS.findIndex((name) => name.toLowerCase() === lower)
  return index < 0 ? 0 : 1 << index
}

function isKeyword(flag: string): boolean {
  if (flag.length === 0) return false
  if (flag.length > KEYWORD_LENGTH) throw new TooManyFlags(`a keyword has at most ${KEYWORD_LENGTH} characters`)
  for (let i = 0; i < flag.length; i++) {
    const code = flag.charCodeAt(i)
    if (code <= 0x20 || code === 0x7f) return false
  }
  return true
}

function joinKeywords(keywords: readonly string[]): string {
  const seen = new Map<string, string>()
  for (const keyword of keywords) {
    const lower = keyword.toLowerCase()
    if (!seen.has(lower)) seen.set(lower, keyword)
  }
  if (seen.size > KEYWORDS_PER_MESSAGE)
    throw new TooManyFlags(`more than ${KEYWORDS_PER_MESSAGE} keywords on a message`)
  return [...seen.values()].join(' ')
}

/** Throws MailboxRefused for a keyword that cannot be stored, TooManyFlags. */
export function encodeFlags(flags: readonly string[]): FlagSet {
  let system = 0
  const keywords: string[] = []
  for (const flag of flags) {
    if (flag.startsWith('\\')) system |= systemBit(flag)
    else if (isKeyword(flag)) keywords.push(flag)
    else throw new MailboxRefused('not a keyword that can be kept')
  }
  return { system, keywords: keywords.length === 0 ? '' : joinKeywords(keywords) }
}

const withoutKeywords = Array.from({ length: 1 << SYSTEM_FLAGS.length }, (_, system) =>
  Object.freeze(SYSTEM_FLAGS.filter((_, bit) => system & (1 << bit))),
)

export function decodeFlags({ system, keywords }: FlagSet): readonly string[] {
  const known = withoutKeywords[system & (withoutKeywords.length - 1)]!
  return keywords === '' ? known : [...known, ...keywords.split(' ')]
}

/** The flags of a message after a change; `flags` is `change.flags` encoded. */
export function applyFlags(before: FlagSet, mode: FlagChange['mode'], flags: FlagSet): FlagSet {
  const kept = before.keywords === '' ? [] : before.keywords.split(' ')
  const given = flags.keywords === '' ? [] : flags.keywords.split(' ')
  switch (mode) {
    case 'replace':
      return flags
    case 'add':
      return {
        system: before.system | flags.system,
        keywords: given.length === 0 ? before.keywords : joinKeywords([...kept, ...given]),
      }
    case 'remove': {
      const gone = new Set(given.map((keyword) => keyword.toLowerCase()))
      return {
        system: before.system & ~flags.system,
        keywords: kept.filter((keyword) => !gone.has(keyword.toLowerCase())).join(' '),
      }
    }
  }
}

export function sameFlags(a: FlagSet, b: FlagSet): boolean {
  return a.system === b.system && a.keywords === b.keywords
}
