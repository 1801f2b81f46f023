/**
 * What SEARCH looks at in a message (RFC 9051 §6.4.4): header fields and text parts, decoded (RFC 2045, 2047, 2231, charsets) and folded.
 * The one truth for those who search messages and for those who index them: HEADER looks at the fields of one name, BODY at the text
 * parts and at the headers of parts and of enclosed messages (names of attachments stand there), TEXT at all of it.
 */
import { asBuffer } from '#lib/bytes.ts'
import { FIELD_LIMIT, parseContentType, parseDisposition } from './content-fields.ts'
import { decodePartText } from './decode-part.ts'
import { decodeText, parameterText } from './encoded-word.ts'
import { fold } from './fold.ts'
import { fieldValue, scanHeader } from './header.ts'
import type { MimePart } from './mime-index.ts'
import type { MessageSummary } from './summary.ts'

export interface SearchField {
  /** Lower case. */
  readonly name: string
  readonly text: string
}

/** `field`: lower case, and only for `header`. Text in Unicode as the client sent it. */
export interface TextQuery {
  readonly where: 'header' | 'body' | 'text'
  readonly field: string | null
  readonly text: string
}

/** Wanted texts are folded. Answers are undefined where it takes a content that was not given. */
export class MessageText {
  readonly summary: MessageSummary
  readonly #content: Buffer | null
  #fields: readonly SearchField[] | undefined
  #bodies: readonly string[] | undefined

  constructor(summary: MessageSummary, content: Buffer | null) {
    this.summary = summary
    this.#content = content
  }

  /** A field of that (lower-case) name has the text; any such field, when the text is empty. */
  fieldHas(name: string, wanted: string): boolean | undefined {
    return this.fields()?.some((field) => field.name === name && field.text.includes(wanted))
  }

  bodyHas(wanted: string): boolean | undefined {
    // Every body has the empty text, also one without any.
    return this.bodies()?.some((text) => text.includes(wanted)) || (this.#content ? wanted === '' : undefined)
  }

  /** Header or body. */
  has(wanted: string): boolean | undefined {
    if (!this.#content) return undefined
    return this.fields()?.some((field) => lineOf(field).includes(wanted)) || this.bodyHas(wanted)
  }

  matches({ where, field }: TextQuery, folded: string): boolean | undefined {
    if (where === 'header') return this.fieldHas(field ?? '', folded)
    return where === 'body' ? this.bodyHas(folded) : this.has(folded)
  }

  /** Of the header of the message itself. */
  fields(): readonly SearchField[] | undefined {
    if (this.#fields) return this.#fields
    const { header } = this.summary
    const octets = header ? asBuffer(header) : this.#content && headerIn(this.#content, this.summary)
    if (octets) this.#fields = headerFields(octets)
    return this.#fields
  }

  bodies(): readonly string[] | undefined {
    if (this.#content) this.#bodies ??= bodyTexts(this.summary.root, this.#content)
    return this.#bodies
  }
}

/** A field as TEXT sees it. */
export function lineOf({ name, text }: SearchField): string {
  return `${name}: ${text}`
}

function headerIn(content: Buffer, { root }: MessageSummary): Buffer {
  return content.subarray(root.header.start, root.header.end)
}

function headerFields(header: Buffer): SearchField[] {
  return scanHeader(header).fields.map((field) => {
    const value = fieldValue(header, field)
    return { name: field.name, text: fold([decodeText(value), ...parameterLines(field.name, value)].join('\n')) }
  })
}

/** Beside a field as it stands: its parameters, where they are in pieces or percent-encoded (RFC 2231), as names of attachments often are. */
function parameterLines(name: string, value: string): string[] {
  const parse = name === 'content-type' ? parseContentType : name === 'content-disposition' ? parseDisposition : null
  if (!parse || !value.includes('*')) return []
  const { parameters } = parse(value.slice(0, FIELD_LIMIT)) ?? { parameters: [] }
  const names = new Set(parameters.map(([known]) => known.replace(/\*$/, '')))
  return [...names].map((known) => `${known}="${parameterText(parameters, known)}"`)
}

function bodyTexts(root: MimePart, content: Buffer): string[] {
  const texts: string[] = []
  const open: MimePart[] = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    if (part !== root) for (const field of headerFields(headerOf(part, content))) texts.push(lineOf(field))
    const text = decodePartText(part, content)
    if (text !== null) texts.push(fold(text))
    open.push(...part.children)
  }
  return texts
}

function headerOf({ header }: MimePart, content: Buffer): Buffer {
  return content.subarray(header.start, header.end)
}
