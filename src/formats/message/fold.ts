/**
 * How SEARCH compares text: without case, without accents, and without the difference between characters that are compatible
 * (RFC 5051 §2 goes as far as their decomposition). A text matches when its folded form holds the folded form of what is looked for.
 */

/** Accents and other marks over letters of Latin, Greek and Cyrillic; marks of other scripts are letters there. */
const ACCENTS = /[\u0300-\u036f]+/g
const ASCII = /^[\0-\x7f]*$/
const LATE_FORMS = /[ßς\0]|\r\n/g
const LATE_ASCII_FORMS = /\0|\r\n/g

/**
 * Well-formed Unicode without NUL, lines ended by a bare LF. ASCII text, which is nearly all there is, folds to its lower case alone.
 */
export function fold(text: string): string {
  if (ASCII.test(text)) return normalLines(text.toLowerCase())
  const apart = text.toWellFormed().normalize('NFKD').toLowerCase().replace(ACCENTS, '')
  // Composed again, so that one Hangul syllable is not found in another.
  return apart.normalize('NFC').replace(LATE_FORMS, lateForm)
}

function normalLines(text: string): string {
  return text.includes('\r') || text.includes('\0') ? text.replace(LATE_ASCII_FORMS, lateForm) : text
}

function lateForm(found: string): string {
  switch (found) {
    case 'ß':
      return 'ss'
    case 'ς':
      return 'σ'
    case '\r\n':
      return '\n'
    default:
      return '\ufffd'
  }
}
