/**
 * What mail programs put into messages that they keep in an mbox file, read and taken out again: flags (Status, X-Status, X-Keywords,
 * X-Mozilla-Status), numbers of their own (X-UID, X-IMAP, X-IMAPbase) and lengths (Content-Length, and Lines beside it). What stays is
 * the message as it was delivered, whatever was done with it since, so that it is known again.
 */
import { fieldValue, type Header, scanHeader } from '#formats/message/header.ts'
import { words } from './kept-flags.ts'

const THEIRS = new Set([
  'status',
  'x-status',
  'x-keywords',
  'x-uid',
  'x-imap',
  'x-imapbase',
  'x-mozilla-status',
  'x-mozilla-status2',
  'x-mozilla-keys',
  'content-length',
])

const LETTERS: Readonly<Record<string, string>> = {
  R: '\\Seen',
  A: '\\Answered',
  F: '\\Flagged',
  D: '\\Deleted',
  T: '\\Draft',
}

/** nsMsgMessageFlags of Thunderbird. */
const MOZILLA_BITS: readonly (readonly [bit: number, flag: string])[] = [
  [0x0001, '\\Seen'],
  [0x0002, '\\Answered'],
  [0x0004, '\\Flagged'],
  [0x0008, '\\Deleted'],
  [0x1000, '$Forwarded'],
]

const VALUE_OCTETS = 10_000

function fieldText(octets: Buffer, header: Header, name: string): string {
  const field = header.fields.find((one) => one.name === name)
  return field ? fieldValue(octets, field, VALUE_OCTETS) : ''
}

function flagsOf(octets: Buffer, header: Header): string[] {
  const value = (name: string) => fieldText(octets, header, name)
  const letters = `${value('status')}${value('x-status')}`
  const flags = [...letters].flatMap((letter) => LETTERS[letter] ?? [])
  const mozilla = Number.parseInt(value('x-mozilla-status'), 16) || 0
  for (const [bit, flag] of MOZILLA_BITS) if (mozilla & bit) flags.push(flag)
  return [...flags, ...words(value('x-keywords')), ...words(value('x-mozilla-keys'))]
}

/** The length of the body as the header tells it, or null. */
export function contentLength(octets: Buffer, header: Header): number | null {
  const value = fieldText(octets, header, 'content-length')
  return /^[0-9]{1,12}$/.test(value) ? Number(value) : null
}

/** Notes that mail programs keep as the first message of a file; nobody sent it. */
function isInternal(octets: Buffer, header: Header): boolean {
  return (
    fieldText(octets, header, 'subject').includes('FOLDER INTERNAL DATA') && fieldText(octets, header, 'x-imap') !== ''
  )
}

/** `octets`: what stood between two separators, quoting undone. null: not a message, only a mail program's note. */
export function readStoredMessage(
  octets: Buffer,
): { readonly content: Buffer; readonly flags: readonly string[] } | null {
  const header = scanHeader(octets)
  if (isInternal(octets, header)) return null
  const hasLength = header.fields.some(({ name }) => name === 'content-length')
  const kept: Buffer[] = []
  let at = 0
  for (const { name, start, end } of header.fields) {
    if (!THEIRS.has(name) && !(hasLength && name === 'lines')) continue
    kept.push(octets.subarray(at, start))
    at = end
  }
  const flags = flagsOf(octets, header)
  return { content: kept.length === 0 ? octets : Buffer.concat([...kept, octets.subarray(at)]), flags }
}

const QUOTED = Buffer.from('\n>')
const FROM = Buffer.from('From ')
const GREATER = 0x3e

const nextQuoted = (octets: Buffer, from: number) => octets.indexOf(QUOTED, from) + 1 || -1

/** Takes one `>` from each line that has some before `From ` (mboxrd; mboxo wrote one): the octets as they were before quoting. */
export function unquote(octets: Buffer): Buffer {
  const kept: Buffer[] = []
  let done = 0
  for (let line = octets[0] === GREATER ? 0 : nextQuoted(octets, 0); line >= 0; line = nextQuoted(octets, line)) {
    let at = line
    while (octets[at] === GREATER) at++
    if (!octets.subarray(at, at + FROM.length).equals(FROM)) continue
    kept.push(octets.subarray(done, line))
    done = line + 1
  }
  return kept.length === 0 ? octets : Buffer.concat([...kept, octets.subarray(done)])
}
