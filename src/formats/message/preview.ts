/**
 * The first words of a message, for lists of messages (RFC 8970): plain text, at most PREVIEW_LENGTH characters, white space
 * joined, what is quoted from others left out where there is something else. Empty where there is nothing to read, or where it is
 * encrypted. It is as secret as the message itself.
 */
import type { Bytes } from '#lib/bytes.ts'
import { decodePartText } from './decode-part.ts'
import { textOfHtml } from './html-text.ts'
import type { MimePart } from './mime-index.ts'

/** RFC 8970 §3.1: characters, not octets. */
export const PREVIEW_LENGTH = 200

/** Encoded octets that are looked at: few first, and more where they do not suffice. HTML begins with its styles. */
const PLAIN_OCTETS = [2_048, 16_384]
const HTML_OCTETS = [8_192, 65_536]
/** Parts that are looked at. */
const PARTS = 100

/** Shows nothing, or turns the direction of what follows; but for what joins letters and pictures. */
const HIDDEN = /[[\p{Default_Ignorable_Code_Point}\ufffd]--[\u200c\u200d\ufe0e\ufe0f]]+/gv
const BLANKS = /[\s\p{Cc}][\s\p{Cc}\u200c\u200d]*|[\u200c\u200d]{1,4}(?=[\s\p{Cc}]|$)/gu

const ASCII = /^[\0-\x7f]*$/
const SURROGATES = /[\ud800-\udfff]/

/** `octets` is the whole message. */
export function previewOf(root: MimePart, octets: Bytes): string {
  for (const part of readableParts(root)) {
    const preview = previewOfPart(part, octets)
    if (preview !== '') return preview
  }
  return ''
}

function previewOfPart(part: MimePart, octets: Bytes): string {
  const isHtml = part.subtype === 'html'
  let preview = ''
  for (const limit of isHtml ? HTML_OCTETS : PLAIN_OCTETS) {
    const text = decodePartText(part, octets, limit) ?? ''
    preview = firstWords(isHtml ? textOfHtml(text, PREVIEW_LENGTH * 8) : ownWords(text))
    if (part.body.end - part.body.start <= limit || preview.length >= PREVIEW_LENGTH - 1) break
  }
  return preview
}

/** The first plain and the first HTML part, in their order, that are neither attached nor within another message. */
function readableParts(root: MimePart): readonly MimePart[] {
  const found: MimePart[] = []
  const open: MimePart[] = [root]
  for (let looked = 0; open.length > 0 && looked < PARTS && found.length < 2; looked++) {
    const part = open.pop()!
    if (part.type === 'multipart' && part.subtype !== 'encrypted') open.push(...part.children.slice(0, PARTS).reverse())
    const isReadable = part.type === 'text' && (part.subtype === 'plain' || part.subtype === 'html')
    if (!isReadable || part.disposition?.type.toLowerCase() === 'attachment') continue
    if (!found.some(({ subtype }) => subtype === part.subtype)) found.push(part)
  }
  return found
}

/** Without what is quoted, unless that is all there is; without the signature. */
function ownWords(text: string): string {
  if (text.startsWith('-----BEGIN PGP MESSAGE-----')) return ''
  const lines = text.split('\n', 500)
  const signature = lines.findIndex((line) => line === '-- ' || line === '-- \r')
  const written = signature > 0 ? lines.slice(0, signature) : lines
  const own = written.filter((line) => !line.startsWith('>'))
  return (own.some((line) => line.trim() !== '') ? own : written).join(' ')
}

function firstWords(text: string): string {
  for (let units = PREVIEW_LENGTH * 2; ; units *= 4) {
    const words = joinedWords(text.slice(0, units))
    // Characters beyond the first plane are two units each.
    if (words.length >= PREVIEW_LENGTH * 2 || units >= text.length) return cut(words)
  }
}

function joinedWords(text: string): string {
  const shown = ASCII.test(text) ? text : text.replace(HIDDEN, '')
  return shown.replace(BLANKS, ' ').trim()
}

function cut(words: string): string {
  if (words.length <= PREVIEW_LENGTH) return words
  const start = words.slice(0, PREVIEW_LENGTH * 2)
  const characters = SURROGATES.test(start) ? Array.from(start) : start
  const first = characters.slice(0, PREVIEW_LENGTH)
  return (typeof first === 'string' ? first : first.join('')).trimEnd()
}
