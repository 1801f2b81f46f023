/** The line that begins each message of an mbox file (RFC 4155 appendix A): `From `, an address, a date. */
import { parseDate } from '#formats/message/date.ts'

/** A separator is no longer than this. */
export const SEPARATOR_OCTETS = 1000

const WEEKDAYS = new Set(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])
const WORDS = 32

/**
 * The instant that a line without its end names, or null when it is none: a line of a text may begin with `From ` too, so only
 * one with a weekday and a whole date is a separator. A date without zone is UTC (RFC 4155).
 */
export function readSeparator(line: string): number | null {
  if (!line.startsWith('From ') || line.length > SEPARATOR_OCTETS) return null
  const words = line
    .split(' ', WORDS + 1)
    .slice(1)
    .filter((word) => word !== '')
  const at = words.findIndex((word) => WEEKDAYS.has(word.replace(',', '').toLowerCase()))
  if (at < 0 || words.length > WORDS) return null
  return readAsctime(words.slice(at + 1)) ?? parseDate(words.slice(at).join(' '))?.time ?? null
}

/** `Nov 3 10:00:00 2026`, with a zone before or after the year, as some programs write it. */
function readAsctime([month, day, clock, ...rest]: readonly string[]): number | null {
  const year = rest.find((word) => /^[0-9]{4}$/.test(word))
  const zone = rest.find((word) => word !== year && /^([+-][0-9]{4}|[A-Z]{1,5})$/.test(word))
  if (!/^[0-9]{1,2}:[0-9]{2}/.test(clock ?? '') || year === undefined) return null
  return parseDate(`${day} ${month} ${year} ${clock} ${zone ?? '+0000'}`)?.time ?? null
}
