/** How SEARCH compares text: without case and without the difference between composed and decomposed letters (RFC 5051 §2). */

/** ASCII text folds to its lower case alone, which is nearly all there is. */
export function fold(text: string): string {
  const lower = text.toLowerCase()
  return /^[\0-\x7f]*$/.test(lower) ? lower : lower.normalize('NFKD')
}
