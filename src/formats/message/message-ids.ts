/** Message identifiers (RFC 5322 §3.6.4), spelled in one way: without angle brackets, and without blanks or line ends inside. */

import type { Bytes } from '#lib/bytes.ts'
import { fieldValues, type Header } from './header.ts'

/**
 * Those in the unfolded value of a field, in order. Where nothing stands in angle brackets, each word is taken for one: some programs
 * leave them out.
 */
export function messageIdsIn(value: string): readonly string[] {
  const bracketed = value.split('<').flatMap((text, index) => {
    const end = text.indexOf('>')
    return index > 0 && end >= 0 ? [text.slice(0, end).replace(/[ \t\r\n]/g, '')] : []
  })
  const found = bracketed.length > 0 ? bracketed : value.split(/[ \t\r\n<>]/)
  return found.filter((id) => id !== '')
}

/** Fields that name messages which this one may quote. The last one is Thunderbird's, of what it forwards. */
const ANSWERED = ['references', 'in-reply-to', 'x-forwarded-message-id']

/** The last `most` of the messages that this one answers or forwards, each once. */
export function answeredIds(octets: Bytes, header: Header, most: number): readonly string[] {
  const named = ANSWERED.flatMap((name) => fieldValues(octets, header, name)).flatMap(messageIdsIn)
  return [...new Set(named.reverse())].slice(0, most).reverse()
}
