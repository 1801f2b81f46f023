/**
 * Address lists of header fields (RFC 5322 §3.4, obsolete forms of §4.4): mailboxes and groups, read as well as possible
 * from whatever a client wrote, in one pass and without recursion. Encoded words stay encoded.
 */
import { trimBlanks } from './header.ts'

/** One element of an address list as IMAP's ENVELOPE shows it (RFC 3501 §7.4.2). Group start: host null; group end: mailbox null too. */
export interface ListedAddress {
  readonly name: string | null
  readonly mailbox: string | null
  /** Empty when the address had no domain. */
  readonly host: string | null
}

/** More than this many elements of one list are not looked at. */
export const LISTED_LIMIT = 4_096

const GROUP_END: ListedAddress = { name: null, mailbox: null, host: null }

/** Characters that end a word: blanks, `"`, `(`, `)`, `,`, `:`, `;`, `<`, `>`, `@`, `[`. */
const ENDS_WORD = new Uint8Array(128)
for (const char of '\t\n\r "(),:;<>@[') ENDS_WORD[char.charCodeAt(0)] = 1

/** The elements of an address list in an unfolded field value. Never fails: what cannot be understood is a mailbox without host. */
export function parseAddressList(text: string): ListedAddress[] {
  const reader = new ListReader(text)
  return reader.read()
}

class ListReader {
  readonly #text: string
  readonly #listed: ListedAddress[] = []
  #at = 0
  #words: string[] = []
  /** Where in `words` the `@` of a bare address stands, or -1. */
  #atSign = -1
  #comment: string | null = null
  #angle: ListedAddress | null = null
  #inGroup = false

  constructor(text: string) {
    this.#text = text
  }

  read(): ListedAddress[] {
    while (this.#at < this.#text.length && this.#listed.length < LISTED_LIMIT) this.#step()
    this.#finish()
    if (this.#inGroup) this.#listed.push(GROUP_END)
    return this.#listed
  }

  #step(): void {
    const char = this.#text[this.#at]!
    switch (char) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
      case ')':
      case '>':
        this.#at++
        break
      case ',':
        this.#at++
        this.#finish()
        break
      case ':':
        this.#at++
        this.#openGroup()
        break
      case ';':
        this.#at++
        this.#finish()
        if (this.#inGroup) this.#listed.push(GROUP_END)
        this.#inGroup = false
        break
      case '(': {
        const comment = this.#readComment()
        if (comment !== '') this.#comment = comment
        break
      }
      case '<':
        this.#readAngle()
        break
      case '@':
        this.#at++
        if (this.#atSign < 0) this.#atSign = this.#words.length
        break
      case '"':
        this.#words.push(this.#readQuoted())
        break
      default:
        this.#words.push(char === '[' ? this.#readLiteral() : this.#readWord())
    }
  }

  #readWord(): string {
    const start = this.#at
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at)
      if (code < 128 && ENDS_WORD[code] === 1) break
      this.#at++
    }
    return this.#text.slice(start, this.#at)
  }

  #readQuoted(): string {
    const start = ++this.#at
    let value = ''
    let kept = start
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]
      if (char === '"') {
        value += this.#text.slice(kept, this.#at++)
        return value
      }
      if (char === '\\') {
        value += this.#text.slice(kept, this.#at)
        kept = ++this.#at
      }
      this.#at++
    }
    this.#at = this.#text.length
    return value + this.#text.slice(kept)
  }

  #readLiteral(): string {
    const end = this.#text.indexOf(']', this.#at)
    const literal = this.#text.slice(this.#at, end < 0 ? this.#text.length : end + 1)
    this.#at += literal.length
    return literal
  }

  /** RFC 5322 §3.2.2: comments nest. */
  #readComment(): string {
    const start = ++this.#at
    let depth = 1
    let escaped = false
    for (; this.#at < this.#text.length && depth > 0; this.#at++) {
      const char = this.#text[this.#at]
      if (char === '\\') {
        escaped = true
        this.#at++
      } else if (char === '(') depth++
      else if (char === ')') depth--
    }
    this.#at = Math.min(this.#at, this.#text.length)
    const inner = trimBlanks(this.#text.slice(start, depth === 0 ? this.#at - 1 : this.#at))
    return escaped ? inner.replace(/\\(.)/gs, '$1') : inner
  }

  /** `<addr-spec>`, with the obsolete route in front that RFC 5322 §4.4 tells to ignore. */
  #readAngle(): void {
    this.#at++
    const name = this.#phrase()
    this.#words = []
    this.#atSign = -1
    if (this.#text[this.#at] === '@') {
      const colon = this.#text.indexOf(':', this.#at)
      const close = this.#text.indexOf('>', this.#at)
      if (colon >= 0 && (close < 0 || colon < close)) this.#at = colon + 1
    }
    while (this.#at < this.#text.length && this.#text[this.#at] !== '>') {
      const char = this.#text[this.#at]!
      if (',:;)<'.includes(char)) {
        this.#words.push(char)
        this.#at++
      } else this.#step()
    }
    this.#at++
    const atSign = this.#atSign < 0 ? this.#words.length : this.#atSign
    this.#angle = {
      name,
      mailbox: this.#words.slice(0, atSign).join(''),
      host: this.#words.slice(atSign).join(''),
    }
    this.#words = []
    this.#atSign = -1
  }

  /** The name in front of `<`. Many write an address there without quotes. */
  #phrase(): string | null {
    if (this.#atSign < 0) return this.#words.length > 0 ? this.#words.join(' ') : null
    return `${this.#words.slice(0, this.#atSign).join(' ')}@${this.#words.slice(this.#atSign).join(' ')}`
  }

  #openGroup(): void {
    if (this.#inGroup || this.#words.length === 0 || this.#atSign >= 0 || this.#angle) return
    this.#listed.push({ name: null, mailbox: this.#words.join(' '), host: null })
    this.#inGroup = true
    this.#reset()
  }

  #finish(): void {
    if (this.#angle) {
      // RFC 5322 §3.4 keeps names in front; older mail has them in a comment.
      this.#listed.push(this.#angle.name === null ? { ...this.#angle, name: this.#comment } : this.#angle)
    } else if (this.#atSign >= 0) this.#listed.push(this.#bareAddress())
    else if (this.#words.length > 0) {
      this.#listed.push({ name: this.#comment, mailbox: this.#words.join(' '), host: '' })
    }
    this.#reset()
  }

  /** `local@domain` without brackets. Words in front that no dot joins to the local-part are a name. */
  #bareAddress(): ListedAddress {
    const before = this.#words.slice(0, this.#atSign)
    const after = this.#words.slice(this.#atSign)
    let start = before.length - 1
    while (start > 0 && (before[start]!.startsWith('.') || before[start - 1]!.endsWith('.'))) start--
    let end = 1
    while (end < after.length && (after[end]!.startsWith('.') || after[end - 1]!.endsWith('.'))) end++
    const name = start > 0 ? before.slice(0, start).join(' ') : this.#comment
    return { name, mailbox: before.slice(Math.max(start, 0)).join(''), host: after.slice(0, end).join('') }
  }

  #reset(): void {
    this.#words = []
    this.#atSign = -1
    this.#comment = null
    this.#angle = null
  }
}

/** The field value that parseAddressList reads as this list. Names must be ASCII (encoded before) unless SMTPUTF8 is used. */
export function formatAddressList(list: readonly ListedAddress[]): string {
  let text = ''
  let separator = ''
  for (const { name, mailbox, host } of list) {
    if (mailbox === null) {
      text += ';'
      separator = ', '
    } else if (host === null) {
      text += `${separator}${formatPhrase(mailbox)}:`
      separator = ' '
    } else {
      const spec = host === '' ? formatLocal(mailbox) : `${formatLocal(mailbox)}@${host}`
      text += `${separator}${name === null ? `<${spec}>` : `${formatPhrase(name)} <${spec}>`}`
      separator = ', '
    }
  }
  return text
}

const ATOMS = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+)*$/
const DOT_ATOM = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]+)*$/

const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
const formatLocal = (local: string) => (DOT_ATOM.test(local) ? local : quote(local))

/** A display name: atoms as they are, everything else quoted (RFC 5322 §3.2.5). */
function formatPhrase(name: string): string {
  return ATOMS.test(name) ? name : quote(name)
}
