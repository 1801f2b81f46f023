/**
 * Pieces of IMAP responses (RFC 3501 §7, §9). Text has one octet per character (latin1), so that raw header octets pass through
 * as they are; contents stay the Buffers that they were. What cannot be quoted becomes a literal: nothing that a message or a
 * mailbox name holds can end a line of ours.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Partial, Section } from './fetch-item.ts'
import { encodeMailboxName } from './mailbox-name.ts'

/** A response is an array of these, written one after the other. */
export type ResponseChunk = string | Bytes

/** `string`: quoted, or a literal when it has other octets than printable ASCII. NUL cannot be sent and is left out (§4.3). */
export function formatString(octets: string): string {
  // Nearly always nothing is to be escaped.
  if (/^[ !#-[\]-~]*$/.test(octets)) return `"${octets}"`
  if (/^[\x20-\x7e]*$/.test(octets)) return quote(octets)
  const sendable = octets.replaceAll('\0', '')
  return `{${sendable.length}}\r\n${sendable}`
}

const quote = (text: string) => (/["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`)

/** `nstring` */
export function formatNstring(octets: string | null): string {
  return octets === null ? 'NIL' : formatString(octets)
}

/** `astring`: an atom where that is possible. */
export function formatAstring(octets: string): string {
  return /^[!#$&'+-Z^-z|}~[\]]+$/.test(octets) && octets.toUpperCase() !== 'NIL' ? octets : formatString(octets)
}

/** A Unicode mailbox name, quoted: in modified UTF-7, or in UTF-8 for a client that enabled it (RFC 6855 §3). */
export function formatMailbox(name: string, utf8 = false): string {
  if (!utf8 || /[\x00-\x1f\x7f]/.test(name)) return formatString(encodeMailboxName(name))
  return quote(Buffer.from(name).toString('latin1'))
}

/** `BODY[...]<origin>` as FETCH responses name it (§7.4.2): never PEEK, no length. */
export function formatSection({ part, text }: Section, partial: Partial | null): string {
  const origin = partial ? `<${partial.start}>` : ''
  const dot = part.length > 0 && text ? '.' : ''
  return `BODY[${part.join('.')}${dot}${text ? formatSectionText(text) : ''}]${origin}`
}

function formatSectionText(text: NonNullable<Section['text']>): string {
  if (text.kind !== 'fields') return text.kind.toUpperCase()
  return `HEADER.FIELDS${text.not ? '.NOT' : ''} (${text.names.map(formatAstring).join(' ')})`
}

/**
 * A content that is sent from where it lies: its announcement, and itself. null, for a part that is not there, is NIL. RFC 9051 §4.3: no
 * literal holds NUL. Old mail does; 0x80 stands for it, as in other servers, so that lengths and places stay what they are.
 */
export function formatContent(content: Bytes | null): readonly ResponseChunk[] {
  if (content === null) return ['NIL']
  return [`{${content.byteLength}}\r\n`, asBuffer(content).includes(0) ? withoutNul(content) : content]
}

function withoutNul(content: Bytes): Buffer {
  const sendable = Buffer.from(content)
  for (let at = sendable.indexOf(0); at >= 0; at = sendable.indexOf(0, at)) sendable[at] = 0x80
  return sendable
}

/** The same as literal8 (RFC 3516 §4.3, §7), which may hold NUL; it is one only where it must be. */
export function formatBinaryContent(content: Bytes | null): readonly ResponseChunk[] {
  return content && asBuffer(content).includes(0) ? [`~{${content.byteLength}}\r\n`, content] : formatContent(content)
}

/** `BINARY[...]<origin>` as FETCH responses name it (RFC 3516 §4.3). */
export function formatBinarySection(part: readonly number[], partial: Partial | null): string {
  return `BINARY[${part.join('.')}]${partial ? `<${partial.start}>` : ''}`
}
