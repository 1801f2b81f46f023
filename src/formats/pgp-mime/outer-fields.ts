/** The header fields of a wrapped message that stay outside, where every server on the way reads them. */

import type { Header } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** `device`: the message rests, its owner's devices open it; `travel`: it goes to others, whose servers and programs work by its header. */
export type Form = 'device' | 'travel'

/** What mail programs list and thread by. Everything else, Received and Return-Path too, is inside only. */
const FOR_LISTING = ['from', 'to', 'cc', 'date', 'message-id', 'in-reply-to', 'references']

/** What servers and programs on the way act on before anybody opens it. */
const FOR_TRANSPORT = [
  'sender',
  'reply-to',
  'auto-submitted',
  'precedence',
  'disposition-notification-to',
  'tls-required',
]

/** Octets of one field; a longer one is inside only. To and Cc of what travels may name hundreds. */
const LONGEST_FIELD = { device: 16 << 10, travel: 64 << 10 } as const

/** RFC 9788 §3.2.1: `hcp_baseline` puts this in place of the subject. */
const SUBJECT = Buffer.from('Subject: [...]\r\n')

const standsOutside = (name: string, form: Form): boolean =>
  FOR_LISTING.includes(name) || (form === 'travel' && (FOR_TRANSPORT.includes(name) || name.startsWith('list-')))

/** RFC 5322 §2.1.1, with room for `HP-Outer: ` in front, and without CRLF. */
const LONGEST_LINE = 988

/**
 * Fields of the message for outside, exactly as they stand in it, the first of each name, in their order; then the subject that
 * says nothing. Of what travels, lines that are too long are folded where they can be.
 */
export function outerFields(message: Bytes, { fields }: Header, form: Form): readonly Bytes[] {
  const found = new Map<string, Bytes>()
  for (const { name, start, end } of fields) {
    if (!standsOutside(name, form) || found.has(name) || end - start > LONGEST_FIELD[form]) continue
    const octets = asBuffer(message).subarray(start, end)
    if (isWholeField(octets)) found.set(name, form === 'travel' ? inShortLines(octets) : octets)
  }
  return [...found.values(), SUBJECT]
}

/** Folded before single blanks (RFC 5322 §2.2.3), so that unfolding gives the same value. */
function inShortLines(field: Buffer): Buffer {
  if (field.length <= LONGEST_LINE) return field
  const pieces: Bytes[] = []
  let start = 0
  for (let at = 0; at < field.length; at = field.indexOf(10, at) + 1) {
    const end = field.indexOf(13, at)
    for (let line = at; end - line > LONGEST_LINE; ) {
      const blank = field.lastIndexOf(32, line + LONGEST_LINE)
      if (blank <= line || isBlank(field[blank - 1]) || isBlank(field[blank + 1])) return field
      pieces.push(field.subarray(start, blank), CRLF)
      start = blank
      line = blank
    }
  }
  return Buffer.concat([...pieces, field.subarray(start)])
}

const CRLF = Buffer.from('\r\n')
const isBlank = (octet: number | undefined) => octet === 32 || octet === 9

/** Ends with CRLF and has no other line end than those that blanks follow, so that it is one field to everybody. */
export function isWholeField(octets: Buffer): boolean {
  if (octets.at(-2) !== 13 || octets.at(-1) !== 10) return false
  for (let at = 0; at < octets.length - 2; at++) {
    const octet = octets[at]
    if (octet === 0) return false
    if (octet === 10 && octets[at - 1] !== 13) return false
    if (octet === 13 && octets[at + 1] !== 10) return false
  }
  return true
}
