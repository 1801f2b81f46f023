/** What ends a command that was done: the tagged OK (RFC 3501 §7.1.1). */
export interface Completion {
  /** Response code without brackets. */
  readonly code: string | null
  readonly text: string
}

export const done = (text: string, code: string | null = null): Completion => ({ code, text })
