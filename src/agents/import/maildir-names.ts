/** What the name of a message file in a Maildir says: when it was delivered, and its flags behind `:2,`. */

export interface FileFacts {
  /** Seconds since the epoch, when the name begins with them as it should. */
  readonly delivered: number | null
  readonly flags: readonly string[]
}

const FLAGS: Readonly<Record<string, string>> = {
  D: '\\Draft',
  F: '\\Flagged',
  P: '$Forwarded',
  R: '\\Answered',
  S: '\\Seen',
  T: '\\Deleted',
}

/** `keywords` by letter from `a` on, as Dovecot's `dovecot-keywords` names them. What lies in `new` was not seen yet. */
export function readFileName(name: string, keywords: readonly string[], isNew: boolean): FileFacts {
  // `:` cannot be in a file name everywhere: `;` and `!` stand for it.
  const info = /[:;!]2,([A-Za-z]*)/.exec(name)?.[1] ?? ''
  const flags: string[] = []
  for (const letter of info) {
    const flag = FLAGS[letter] ?? keywords[letter.charCodeAt(0) - 97]
    if (flag !== undefined && !(isNew && flag === '\\Seen')) flags.push(flag)
  }
  const seconds = /^([0-9]{9,11})[^0-9]/.exec(name)?.[1]
  return { delivered: seconds === undefined ? null : Number(seconds), flags }
}

/** Lines such as `0 $Forwarded`; 26 letters are all there are. */
export function readKeywords(text: string): string[] {
  const keywords: string[] = []
  for (const line of text.split('\n')) {
    const [, number, keyword] = /^([0-9]{1,2}) (\S+)$/.exec(line) ?? []
    if (keyword !== undefined && Number(number) < 26) keywords[Number(number)] = keyword
  }
  return keywords
}
