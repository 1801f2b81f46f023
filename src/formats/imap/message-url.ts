/** URLs of messages and their parts (RFC 5092 §6), relative to the server as CATENATE has them (RFC 4469 §3). */
import { Cursor } from './cursor.ts'
import type { Section } from './fetch-item.ts'
import { readMailboxName } from './mailbox-name.ts'
import { parseFetchItem } from './parse-fetch.ts'

export interface MessageUrl {
  /** null: the one that is selected. */
  readonly mailbox: string | null
  readonly uidValidity: number | null
  readonly uid: number
  readonly section: Section
  readonly partial: { readonly start: number; readonly length: number | null } | null
}

/** null for what is no such URL, or names another server. */
export function parseMessageUrl(url: string): MessageUrl | null {
  if (!/^[\x21-\x7e]+$/.test(url) || (!url.startsWith('/') && !url.startsWith(';')) || url.startsWith('//')) return null
  const [path = '', ...given] = url.split(';').map(unescaped)
  const parameters = new Map<string, string>()
  for (const text of given) {
    const equals = text?.indexOf('=') ?? -1
    if (!text || equals < 0) return null
    parameters.set(text.slice(0, equals).toUpperCase(), text.slice(equals + 1).replace(/\/$/, ''))
  }
  if (path === null || [...parameters.keys()].some((name) => !NAMES.has(name))) return null
  const name = path.slice(1).replace(/\/$/, '')
  const mailbox = name === '' ? null : readMailboxName(Buffer.from(name), true)
  const uid = numberIn(parameters.get('UID'))
  const uidValidity = numberIn(parameters.get('UIDVALIDITY'))
  const section = sectionIn(parameters.get('SECTION') ?? '')
  const partial = partialIn(parameters.get('PARTIAL'))
  const isWrong = (name !== '' && mailbox === null) || !uid || uidValidity === undefined || partial === undefined
  return isWrong || !section ? null : { mailbox, uidValidity, uid, section, partial }
}

const NAMES: ReadonlySet<string> = new Set(['UIDVALIDITY', 'UID', 'SECTION', 'PARTIAL'])

/** Undoes percent encoding (RFC 3986 §2.1); null where that gives no text. */
function unescaped(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** null for nothing, undefined for what is not a number of IMAP. */
function numberIn(text: string | undefined): number | null | undefined {
  if (text === undefined) return null
  const number = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  return number > 0 && number <= 0xffff_ffff ? number : undefined
}

/** As it stands between the brackets of BODY[...]. */
function sectionIn(text: string): Section | null {
  const line = Buffer.from(`BODY[${text}]`)
  const cursor = new Cursor([{ line, literalAt: line.length, literal: null }])
  try {
    const read = parseFetchItem(cursor)
    cursor.end()
    return read.kind === 'section' && read.partial === null ? read.section : null
  } catch {
    return null
  }
}

function partialIn(text: string | undefined): MessageUrl['partial'] | undefined {
  if (text === undefined) return null
  const [, start, length] = text.match(/^(\d{1,10})(?:\.(\d{1,10}))?$/) ?? []
  if (start === undefined || length === '0') return undefined
  return { start: Number(start), length: length === undefined ? null : Number(length) }
}
