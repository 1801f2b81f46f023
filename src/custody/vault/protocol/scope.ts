/**
 * What a credential may be used for, as a keyslot says it: words with commas between them, in one order, so that the same rights
 * are always the same text. The protocols are those of the front-ends; `sign` lets a session sign as the account. An empty scope
 * is everything and belongs to the owner's own credentials alone; an app password names each right that it has.
 *
 * One that neither reads nor signs (`smtp` alone) is given no AMK: whoever steals the device and the disk reads no mail with it.
 * `smtp,sign` does open the keys, and the vault lets its sessions sign and nothing else: an account allows a sending device to sign
 * by making its password so.
 */

export const PROTOCOL_WORDS = ['imap', 'pop3', 'smtp', 'jmap'] as const

const READING: readonly string[] = ['imap', 'pop3', 'jmap']
const ORDER: readonly string[] = [...PROTOCOL_WORDS, 'sign']

/** The scope of an app password; null for an unknown word, and without a protocol. */
export function scopeText(words: readonly string[]): string | null {
  if (words.some((word) => !ORDER.includes(word))) return null
  if (!PROTOCOL_WORDS.some((word) => words.includes(word))) return null
  return ORDER.filter((word) => words.includes(word)).join(',')
}

export const scopeWords = (scope: string): readonly string[] => (scope === '' ? [] : scope.split(','))

export interface Rights {
  readonly reads: boolean
  readonly signs: boolean
}

export function rightsOf(scope: string): Rights {
  const words = scopeWords(scope)
  return {
    reads: scope === '' || words.some((word) => READING.includes(word)),
    signs: scope === '' || words.includes('sign'),
  }
}
