/**
 * Dates as mail writes them: the Date field (RFC 5322 §3.3, obsolete forms of §4.3), IMAP's INTERNALDATE and search days
 * (RFC 3501 §9 `date-time`, `date`). Instants are milliseconds since the epoch, days are counted from 1970-01-01.
 */

/** An instant and the zone in which it was written. */
export interface ZonedDate {
  readonly time: number
  /** Minutes east of UTC. */
  readonly offset: number
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** Longer texts are no dates. */
const TEXT_LIMIT = 200

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MONTH_NUMBERS = new Map(MONTHS.map((name, index) => [name.toLowerCase(), index]))

/** RFC 5322 §4.3; all other letters mean -0000. */
const ZONES = new Map<string, number>([
  ['ut', 0],
  ['utc', 0],
  ['gmt', 0],
  ['z', 0],
  ['edt', -240],
  ['est', -300],
  ['cdt', -300],
  ['cst', -360],
  ['mdt', -360],
  ['mst', -420],
  ['pdt', -420],
  ['pst', -480],
])

/** The value of a Date field, also with the weekday, seconds or zone missing and with comments; null when it is none. */
export function parseDate(text: string): ZonedDate | null {
  return readDate(dateWords(text))
}

/** For searching and sorting (RFC 5256 §2.2): where the time is missing or none, it is midnight in UTC. */
export function parseSentDate(text: string): ZonedDate | null {
  const words = dateWords(text)
  return readDate(words) ?? readDate([...words.slice(0, 3), '00:00:00', '+0000'])
}

/** Day, month, year, time and zone, as far as they are there. */
function dateWords(text: string): string[] {
  if (text.length > TEXT_LIMIT) return []
  const words = withoutComments(text)
    .replace(/[,\t\r\n]/g, ' ')
    .split(' ')
    .filter((word) => word !== '')
  if (words[0] !== undefined && !/[0-9]/.test(words[0]) && !MONTH_NUMBERS.has(words[0].toLowerCase())) words.shift()
  // `3-Nov-2026` and the order of asctime (`Nov 3 10:00:00 2026`) are wrong but not rare.
  if (words[0]?.includes('-')) words.splice(0, 1, ...words[0].split('-'))
  if (MONTH_NUMBERS.has(words[0]?.toLowerCase() ?? '') && /^[0-9]{4}$/.test(words[3] ?? '')) {
    words.splice(0, 4, words[1]!, words[0]!, words[3]!, words[2]!)
  }
  return words
}

function readDate(words: readonly string[]): ZonedDate | null {
  const day = number(words[0], 2)
  const month = MONTH_NUMBERS.get(words[1]?.slice(0, 3).toLowerCase() ?? '')
  const year = fullYear(words[2])
  const clock = readClock(words[3] ?? '')
  if (day === null || month === undefined || year === null || clock === null) return null
  const offset = readZone(words[4] ?? '')
  const midnight = dayStart(year, month, day)
  return midnight === null ? null : { time: midnight + clock - offset * MINUTE_MS, offset }
}

/** `Tue, 3 Nov 2026 10:00:00 +0100` */
export function formatDate(time: number, offset = 0): string {
  const { weekday, day, month, year, clock } = parts(time, offset)
  return `${weekday}, ${day} ${month} ${year} ${clock} ${formatZone(offset)}`
}

/** INTERNALDATE without its quotes, always in UTC: ` 3-Nov-2026 09:00:00 +0000`. */
export function formatInternalDate(time: number): string {
  const { day, month, year, clock } = parts(time, 0)
  return `${String(day).padStart(2)}-${month}-${year} ${clock} +0000`
}

/** RFC 3501 §9 `date-time` without its quotes, or null. Some clients leave out the blank before a single digit. */
export function parseInternalDate(text: string): number | null {
  const match = /^([ 0-3]?[0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4})$/.exec(text)
  if (!match) return null
  const month = MONTH_NUMBERS.get(match[2]!.toLowerCase())
  const clock = readClock(match[4]!)
  if (month === undefined || clock === null) return null
  const midnight = dayStart(Number(match[3]), month, Number(match[1]))
  return midnight === null ? null : midnight + clock - readZone(match[5]!) * MINUTE_MS
}

/** RFC 3501 §9 `date-text` such as `1-Feb-1994`, or null. */
export function parseImapDay(text: string): number | null {
  const match = /^([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})$/.exec(text)
  const month = MONTH_NUMBERS.get(match?.[2]?.toLowerCase() ?? '')
  if (!match || month === undefined) return null
  const midnight = dayStart(Number(match[3]), month, Number(match[1]))
  return midnight === null ? null : midnight / DAY_MS
}

export function formatImapDay(day: number): string {
  const date = parts(day * DAY_MS, 0)
  return `${date.day}-${date.month}-${date.year}`
}

/** The calendar day of an instant in its own zone: what SEARCH compares (RFC 3501 §6.4.4, time and zone disregarded). */
export function dayOf({ time, offset }: ZonedDate): number {
  return Math.floor((time + offset * MINUTE_MS) / DAY_MS)
}

function parts(time: number, offset: number) {
  const date = new Date(Math.floor(time / 1000) * 1000 + offset * MINUTE_MS)
  const two = (value: number) => String(value).padStart(2, '0')
  return {
    weekday: DAYS[date.getUTCDay()]!,
    day: date.getUTCDate(),
    month: MONTHS[date.getUTCMonth()]!,
    year: String(date.getUTCFullYear()).padStart(4, '0'),
    clock: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`,
  }
}

function dayStart(year: number, month: number, day: number): number | null {
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  return date.getUTCMonth() === month && date.getUTCDate() === day ? date.getTime() : null
}

/** Milliseconds since midnight in `h:mm` or `h:mm:ss` (a leap second counts as the one before). */
function readClock(text: string): number | null {
  const match = /^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/.exec(text)
  if (!match) return null
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
  if (hours > 23 || minutes > 59 || seconds > 60) return null
  return ((hours * 60 + minutes) * 60 + Math.min(seconds, 59)) * 1000
}

function readZone(text: string): number {
  const match = /^([+-])([0-9]{2})([0-9]{2})$/.exec(text)
  if (!match) return ZONES.get(text.toLowerCase()) ?? 0
  const minutes = Number(match[2]) * 60 + Number(match[3])
  return match[1] === '-' ? -minutes : minutes
}

function formatZone(offset: number): string {
  const minutes = Math.abs(offset)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`
}

function number(text: string | undefined, digits: number): number | null {
  return text !== undefined && text.length <= digits && /^[0-9]+$/.test(text) ? Number(text) : null
}

// RFC 5322 §4.3: years of two and three digits.
function fullYear(text: string | undefined): number | null {
  const year = number(text, 4)
  if (year === null || text!.length < 2) return null
  if (text!.length === 2) return year < 50 ? 2000 + year : 1900 + year
  return text!.length === 3 ? 1900 + year : year
}

function withoutComments(text: string): string {
  let kept = ''
  let depth = 0
  for (const char of text) {
    if (char === '(') depth++
    else if (char === ')' && depth > 0) depth--
    else if (depth === 0) kept += char
  }
  return kept
}
