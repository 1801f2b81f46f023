/** The subject without what replies and forwards put around it (RFC 5256 §2.1): what SORT and THREAD compare. */
import { decodeText } from './encoded-word.ts'

export interface BaseSubject {
  readonly text: string
  /** Something of a reply or of a forward was taken away. */
  readonly isReply: boolean
}

/** From the raw, unfolded value of the field. One pass from each end: what has been looked at is not looked at again. */
export function baseSubject(raw: string | null): BaseSubject {
  // Step 1: decoded, each run of white space one blank.
  const text = decodeText(raw ?? '').replace(/[\t\r\n ]+/g, ' ')
  let start = 0
  let end = text.length
  let isReply = false
  for (;;) {
    const trailer = withoutTrailers(text, start, end)
    const leader = withoutLeaders(text, start, trailer.end)
    isReply ||= trailer.isForward || leader.isReply
    start = leader.start
    end = trailer.end
    // Step 6, and again from step 2.
    if (end - start < FORWARD.length + 1 || text[end - 1] !== ']' || !hasAt(text, FORWARD, start)) break
    isReply = true
    start += FORWARD.length
    end--
  }
  return { text: text.slice(start, end), isReply }
}

const FORWARD = '[fwd:'
const FORWARDED = '(fwd)'

/** Whether the lower-case word stands there, in any case. */
function hasAt(text: string, word: string, at: number): boolean {
  return text.slice(at, at + word.length).toLowerCase() === word
}

/** Step 2: subj-trailer = "(fwd)" / WSP, at the end. */
function withoutTrailers(text: string, start: number, from: number): { end: number; isForward: boolean } {
  let end = from
  let isForward = false
  for (;;) {
    if (end > start && text[end - 1] === ' ') end--
    else if (end - start >= FORWARDED.length && hasAt(text, FORWARDED, end - FORWARDED.length)) {
      end -= FORWARDED.length
      isForward = true
    } else return { end, isForward }
  }
}

/** Steps 3 to 5: subj-leader = (*subj-blob subj-refwd) / WSP, and blobs that something stands behind. */
function withoutLeaders(text: string, from: number, end: number): { start: number; isReply: boolean } {
  let start = from
  let isReply = false
  for (;;) {
    while (start < end && text[start] === ' ') start++
    let afterBlobs = start
    let lastBlob = start
    for (let next = blobEnd(text, afterBlobs, end); next > afterBlobs; next = blobEnd(text, afterBlobs, end)) {
      lastBlob = afterBlobs
      afterBlobs = next
    }
    const afterLeader = replyEnd(text, afterBlobs, end)
    if (afterLeader === afterBlobs) return { start: afterBlobs < end ? afterBlobs : lastBlob, isReply }
    start = afterLeader
    isReply = true
  }
}

/** Behind subj-blob = "[" *BLOBCHAR "]" *WSP, or `at` where none stands. */
function blobEnd(text: string, at: number, end: number): number {
  if (text[at] !== '[') return at
  let next = at + 1
  while (next < end && text[next] !== '[' && text[next] !== ']') next++
  if (next >= end || text[next] !== ']') return at
  next++
  while (next < end && text[next] === ' ') next++
  return next
}

/** Behind subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":", or `at` where none stands. */
function replyEnd(text: string, at: number, end: number): number {
  const word = ['re', 'fwd', 'fw'].find((one) => hasAt(text, one, at))
  if (!word || at + word.length > end) return at
  let next = at + word.length
  while (next < end && text[next] === ' ') next++
  next = blobEnd(text, next, end)
  return next < end && text[next] === ':' ? next + 1 : at
}
