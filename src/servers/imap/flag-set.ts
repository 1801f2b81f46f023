/**
 * The flags of a message as one shared value: mailboxes have few different combinations, so a view keeps one reference per
 * message and asks for \Seen or \Deleted without looking at strings.
 */

export interface FlagSet {
  /** As stored: system flags with backslash, keywords with their case kept; never \Recent. */
  readonly flags: readonly string[]
  /** Lower case, for comparisons (RFC 3501 §2.3.2: flags compare without case). */
  readonly folded: ReadonlySet<string>
  readonly seen: boolean
  readonly deleted: boolean
}

/** Combinations remembered at once; beyond that the memory starts afresh (equal sets may then be two values). */
const REMEMBERED = 4096
const remembered = new Map<string, FlagSet>()

export function flagSet(flags: readonly string[]): FlagSet {
  const key = flags.join(' ')
  const found = remembered.get(key)
  if (found) return found
  const folded = new Set(flags.map((flag) => flag.toLowerCase()))
  const made = { flags: [...flags], folded, seen: folded.has('\\seen'), deleted: folded.has('\\deleted') }
  if (remembered.size >= REMEMBERED) remembered.clear()
  remembered.set(key, made)
  return made
}

export function sameFlags(a: FlagSet, b: FlagSet): boolean {
  if (a === b) return true
  if (a.folded.size !== b.folded.size) return false
  for (const flag of a.folded) if (!b.folded.has(flag)) return false
  return true
}

/** What a STORE makes of these flags when nobody else changes them (RFC 3501 §6.4.6). */
export function changedFlags(
  before: FlagSet,
  mode: 'replace' | 'add' | 'remove',
  flags: readonly string[],
): ReadonlySet<string> {
  const folded = flags.map((flag) => flag.toLowerCase())
  if (mode === 'replace') return new Set(folded)
  const after = new Set(before.folded)
  for (const flag of folded) {
    if (mode === 'add') after.add(flag)
    else after.delete(flag)
  }
  return after
}
