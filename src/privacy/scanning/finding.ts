/** What one scanner says of one message. */

export type Finding =
  | {
      readonly kind: 'found'
      readonly verdict: 'clean' | 'junk' | 'malware'
      /** What it is called by the scanner, fit to be logged. */
      readonly names: readonly string[]
    }
  /** It answered, and could not say: too large for it, an error of its own, an answer that is none. */
  | { readonly kind: 'unable'; readonly why: string }
  /** It cannot be reached, or did not answer in time. */
  | { readonly kind: 'away'; readonly why: string }

const NAMES_MAX = 8
const NAME_MAX = 64

/** Names of signatures and rules come from outside: few, short, and without anything that a log or a terminal could take for its own. */
export function printableNames(names: readonly string[]): string[] {
  return names.slice(0, NAMES_MAX).map((name) => name.slice(0, NAME_MAX).replace(/[^\w.-]/g, '?'))
}

/** Codes of a connection that broke after it was made: the scanner is there, and did not want to hear or say more. */
const BROKEN: readonly (string | undefined)[] = ['EPIPE', 'ECONNRESET', undefined]

/** Why there is no answer: a code such as ECONNREFUSED, or a sentence of ours. Neither says anything of what was sent. */
export function failureOf(error: unknown, signal: AbortSignal): Exclude<Finding, { kind: 'found' }> {
  if (signal.aborted) return { kind: 'away', why: 'no answer in time' }
  const { code, message } = error as NodeJS.ErrnoException
  return { kind: BROKEN.includes(code) ? 'unable' : 'away', why: code ?? message }
}
