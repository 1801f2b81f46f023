/** The words of a message that SEARCH looks at: decoded (RFC 2045, 2047, charsets), folded, and each only once. */
import { decodePartText } from '#formats/message/decode-part.ts'
import { decodeText } from '#formats/message/encoded-word.ts'
import { fieldValue, scanHeader } from '#formats/message/header.ts'
import type { MimePart } from '#formats/message/mime-index.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { asBuffer } from '#lib/bytes.ts'
import { fold } from './fold.ts'

interface Field {
  readonly name: string
  readonly text: string
}

/** Wanted texts are folded. Answers are undefined where it takes a content that was not given. */
export class MessageText {
  readonly summary: MessageSummary
  readonly #content: Buffer | null
  #fields: readonly Field[] | undefined
  #body: readonly string[] | undefined

  constructor(summary: MessageSummary, content: Buffer | null) {
    this.summary = summary
    this.#content = content
  }

  /** A field of that (lower-case) name has the text; any such field, when the text is empty. */
  fieldHas(name: string, wanted: string): boolean | undefined {
    return this.#header()?.some((field) => field.name === name && field.text.includes(wanted))
  }

  bodyHas(wanted: string): boolean | undefined {
    if (!this.#content) return undefined
    this.#body ??= bodyTexts(this.summary.root, this.#content)
    // Every body has the empty text, also one without any.
    return wanted === '' || this.#body.some((text) => text.includes(wanted))
  }

  /** Header or body. */
  has(wanted: string): boolean | undefined {
    if (!this.#content) return undefined
    return this.#header()?.some(({ name, text }) => `${name}: ${text}`.includes(wanted)) || this.bodyHas(wanted)
  }

  #header(): readonly Field[] | undefined {
    const { header, root } = this.summary
    const octets = header ? asBuffer(header) : this.#content?.subarray(root.header.start, root.header.end)
    if (octets) this.#fields ??= headerFields(octets)
    return this.#fields
  }
}

function headerFields(header: Buffer): Field[] {
  return scanHeader(header).fields.map((field) => ({
    name: field.name,
    text: fold(decodeText(fieldValue(header, field))),
  }))
}

/** The text parts, and the headers of parts and of enclosed messages, which are in the body too. */
function bodyTexts(root: MimePart, content: Buffer): string[] {
  const texts: string[] = []
  const open: MimePart[] = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    if (part !== root) {
      const fields = headerFields(content.subarray(part.header.start, part.header.end))
      for (const { name, text } of fields) texts.push(`${name}: ${text}`)
    }
    const text = decodePartText(part, content)
    if (text !== null) texts.push(fold(text))
    open.push(...part.children)
  }
  return texts
}
