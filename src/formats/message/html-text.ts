/** The words of an HTML text as somebody would read them, for a preview: no layout, no links. One pass, nothing is backtracked. */

/** Elements whose content nobody reads. */
const UNREAD: ReadonlySet<string> = new Set([
  'head',
  'style',
  'script',
  'title',
  'template',
  'noscript',
  'svg',
  'object',
])

/** Elements in the middle of a word; all others part words. */
const INLINE: ReadonlySet<string> = new Set([
  ...['a', 'abbr', 'b', 'bdi', 'bdo', 'big', 'cite', 'code', 'em', 'font', 'i', 'ins', 'kbd', 'mark', 'q', 's', 'samp'],
  ...['small', 'span', 'strong', 'sub', 'sup', 'tt', 'u', 'var', 'wbr'],
])

const ENTITIES = new Map<string, string>([
  ...([
    ['amp', '&'],
    ['lt', '<'],
    ['gt', '>'],
    ['quot', '"'],
    ['apos', "'"],
    ['nbsp', ' '],
    ['shy', '\u00ad'],
    ['zwnj', '\u200c'],
    ['zwj', '\u200d'],
  ] as const),
  ...([
    ['hellip', '…'],
    ['ndash', '–'],
    ['mdash', '—'],
    ['lsquo', '‘'],
    ['rsquo', '’'],
    ['sbquo', '‚'],
    ['ldquo', '“'],
    ['rdquo', '”'],
    ['bdquo', '„'],
    ['laquo', '«'],
    ['raquo', '»'],
    ['bull', '•'],
    ['middot', '·'],
    ['copy', '©'],
    ['reg', '®'],
    ['trade', '™'],
    ['euro', '€'],
    ['pound', '£'],
    ['sect', '§'],
    ['deg', '°'],
    ['szlig', 'ß'],
    ['ntilde', 'ñ'],
    ['Ntilde', 'Ñ'],
    ['ccedil', 'ç'],
    ['Ccedil', 'Ç'],
    ['oslash', 'ø'],
    ['Oslash', 'Ø'],
    ['aring', 'å'],
    ['Aring', 'Å'],
    ['aelig', 'æ'],
    ['AElig', 'Æ'],
  ] as const),
])

/** `&Auml;` and its like: a letter and the mark upon it. */
const MARKS = new Map([
  ['uml', '\u0308'],
  ['acute', '\u0301'],
  ['grave', '\u0300'],
  ['circ', '\u0302'],
  ['tilde', '\u0303'],
])

/** Reads until there are `enough` UTF-16 units of text; white space is left for the caller to join. */
export function textOfHtml(html: string, enough: number): string {
  let text = ''
  let at = 0
  while (at < html.length && text.length < enough) {
    const tag = html.indexOf('<', at)
    const end = tag < 0 ? html.length : tag
    if (end > at) text += decodeEntities(html.slice(at, Math.min(end, at + enough * 8)))
    if (tag < 0) break
    const { next, shown } = skipTag(html, tag)
    text += shown
    at = next
  }
  return text
}

/** From a `<` to after the tag, the comment, or the whole element that nobody reads. `shown` stands in its place. */
function skipTag(html: string, start: number): { next: number; shown: string } {
  if (html.startsWith('<!--', start)) return { next: after(html, '-->', start + 4), shown: '' }
  const closes = html[start + 1] === '/'
  const nameStart = start + (closes ? 2 : 1)
  const name = tagName(html, nameStart)
  if (name === '') {
    const isMarkup = closes || html[start + 1] === '!' || html[start + 1] === '?'
    return isMarkup ? { next: after(html, '>', start + 1), shown: ' ' } : { next: start + 1, shown: '<' }
  }
  const next = afterAttributes(html, nameStart + name.length)
  if (UNREAD.has(name) && !closes && html[next - 2] !== '/') return { next: afterElement(html, name, next), shown: ' ' }
  return { next, shown: INLINE.has(name) ? '' : ' ' }
}

/** Of an opening or a closing tag, lower case; empty when no name begins there. */
function tagName(html: string, start: number): string {
  let end = start
  while (end < start + 20 && isNameCharacter(html.charCodeAt(end))) end++
  return html.slice(start, end).toLowerCase()
}

function isNameCharacter(code: number): boolean {
  const letter = code | 0x20
  return (letter >= 97 && letter <= 122) || (code >= 48 && code <= 57)
}

/** A `>` in a quoted value does not end the tag. */
function afterAttributes(html: string, start: number): number {
  for (let at = start; at < html.length; at++) {
    const char = html[at]
    if (char === '>') return at + 1
    if (char === '"' || char === "'") {
      const end = html.indexOf(char, at + 1)
      if (end < 0) return html.length
      at = end
    }
  }
  return html.length
}

function afterElement(html: string, name: string, start: number): number {
  for (let at = html.indexOf('</', start); at >= 0; at = html.indexOf('</', at + 2))
    if (tagName(html, at + 2) === name) return after(html, '>', at + 2)
  return html.length
}

function after(html: string, mark: string, start: number): number {
  const found = html.indexOf(mark, start)
  return found < 0 ? html.length : found + mark.length
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(#?[0-9A-Za-z]{1,10});?/g, (whole, name: string) => entity(name) ?? whole)
}

function entity(name: string): string | null {
  if (name[0] === '#') {
    const hexadecimal = name[1] === 'x' || name[1] === 'X'
    const code = Number.parseInt(name.slice(hexadecimal ? 2 : 1), hexadecimal ? 16 : 10)
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : ''
  }
  const mark = MARKS.get(name.slice(1))
  return mark ? (name[0]! + mark).normalize() : (ENTITIES.get(name) ?? null)
}
