/** SORT (RFC 5256 §3, RFC 5957): places in the order of some fields. */
import type { SortCriterion, SortField } from '#formats/imap/command.ts'
import type { ListedAddress } from '#formats/message/address-list.ts'
import { baseSubject } from '#formats/message/base-subject.ts'
import { collated, compareCollated } from '#formats/message/collation.ts'
import { parseSentDate } from '#formats/message/date.ts'
import { decodeText } from '#formats/message/encoded-word.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import type { SearchGround } from './search-ground.ts'
import { readSummaries } from './summaries.ts'

const ROWS_AT_ONCE = 8_192

/** `places` ascend. Those that are equal in all fields stay in this order, also where a field is reversed (RFC 5256 §3). */
export async function sortedPlaces(
  ground: SearchGround,
  places: readonly number[],
  criteria: readonly SortCriterion[],
): Promise<number[]> {
  const columns = await readColumns(ground, places, [...new Set(criteria.map(({ field }) => field))])
  const compares = criteria.map(({ field, reverse }) => {
    const column = columns.get(field)!
    const sign = reverse ? -1 : 1
    return (a: number, b: number) => sign * compareValues(column[a]!, column[b]!)
  })
  const order = places.map((_, index) => index)
  order.sort((a, b) => {
    for (const compare of compares) {
      const difference = compare(a, b)
      if (difference !== 0) return difference
    }
    return a - b
  })
  return order.map((index) => places[index]!)
}

type Value = string | number

function compareValues(a: Value, b: Value): number {
  return typeof a === 'string' ? compareCollated(a, b as string) : a - (b as number)
}

/** What each field is of each message. One that is gone by now has nothing in any. */
async function readColumns(ground: SearchGround, places: readonly number[], fields: readonly SortField[]) {
  const columns = new Map<SortField, Value[]>()
  for (const field of fields) {
    if (field === 'arrival') columns.set(field, await internalDates(ground, places))
    else columns.set(field, [])
  }
  const summed = fields.filter((field) => field !== 'arrival')
  if (summed.length === 0) return columns
  const undated: number[] = []
  let index = 0
  for await (const summary of summariesAt(ground, places)) {
    for (const field of summed) {
      const value = summary ? fieldOf(field, summary) : emptyOf(field)
      if (value === null) undated.push(index)
      columns.get(field)!.push(value ?? 0)
    }
    index++
  }
  // RFC 5256 §2.2: INTERNALDATE stands for a Date that is not there or none.
  const dates = await internalDates(
    ground,
    undated.map((at) => places[at]!),
  )
  for (const [at, date] of dates.entries()) columns.get('date')![undated[at]!] = date
  return columns
}

export function summariesAt(ground: SearchGround, places: readonly number[]): AsyncGenerator<MessageSummary | null> {
  const { mailbox } = ground
  const uids = places.map((place) => mailbox.view.uidAt(place))
  return readSummaries(mailbox, uids, ground)
}

/** Milliseconds since the epoch; 0 for a message that is gone. */
export async function internalDates({ mailbox, goOn }: SearchGround, places: readonly number[]): Promise<number[]> {
  const dates: number[] = []
  for (let at = 0; at < places.length; at += ROWS_AT_ONCE) {
    const uids = places.slice(at, at + ROWS_AT_ONCE).map((place) => mailbox.view.uidAt(place))
    for (const row of await mailbox.mail.rows(mailbox.id, uids)) dates.push(row?.internalDate ?? 0)
    goOn()
  }
  return dates
}

const emptyOf = (field: SortField): Value => (field === 'size' || field === 'date' ? 0 : '')

/** null: a date that must be looked for elsewhere. */
function fieldOf(field: Exclude<SortField, 'arrival'>, { size, envelope }: MessageSummary): Value | null {
  switch (field) {
    case 'size':
      return size
    case 'date':
      return sentTime(envelope.date ?? null)
    case 'subject':
      return collated(baseSubject(envelope.subject ?? null).text)
    case 'from':
    case 'to':
    case 'cc':
      return collated(decodeText(envelope[field]?.[0]?.mailbox ?? ''))
    case 'displayFrom':
      return collated(displayName(envelope.from?.[0]))
    case 'displayTo':
      return collated(displayName(envelope.to?.[0]))
  }
}

/** RFC 5256 §2.2: in UTC; null where it is not there or no date. */
export function sentTime(date: string | null): number | null {
  return date === null ? null : (parseSentDate(date)?.time ?? null)
}

/** RFC 5957 §3: the display name, or else the address. */
function displayName(address: ListedAddress | undefined): string {
  if (!address) return ''
  const name = decodeText(address.name ?? '').trim()
  if (name !== '') return name
  const { mailbox, host } = address
  return decodeText(host === null ? (mailbox ?? '') : `${mailbox ?? ''}@${host}`)
}
