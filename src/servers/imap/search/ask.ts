/** What SEARCH, SORT and THREAD have in common: what they refuse, what they look at, and how they answer. */
import type { Uid } from '#custody/store/mail-store.ts'
import type { SearchCommand, SortCommand, ThreadCommand } from '#formats/imap/command.ts'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { formatEsearch } from '#formats/imap/search-response.ts'
import { compactSequence, SAVED } from '#formats/imap/sequence-set.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import type { Conversation } from '../conversation.ts'
import { bad, ImapError, no } from '../imap-error.ts'
import { uidRequired } from '../message-set.ts'
import { type Matches, resultOf, type Wishes } from './results.ts'
import type { SearchGround } from './search-ground.ts'

/** With the names that programs have for them beside the registered ones. */
const CHARSETS: readonly (string | null)[] = [null, 'US-ASCII', 'ASCII', 'UTF-8', 'UTF8']

/** Throws BAD or NO for what cannot be searched for here; turns on CONDSTORE where the search does. */
export function begin(talk: Conversation, command: SearchCommand | SortCommand | ThreadCommand): SearchGround {
  const { mailbox, wire, context, logger } = talk
  const { modseq, numbers } = surveyed(command.key)
  // RFC 9586 §3.1
  if (mailbox.manner.uidOnly && numbers) throw uidRequired()
  // RFC 6855 §3.
  if (command.kind === 'search' && command.charset !== null && talk.enabled.has('UTF8=ACCEPT'))
    throw bad('All text is UTF-8 already')
  if (!CHARSETS.includes(command.charset)) throw no('BADCHARSET (US-ASCII UTF-8)', 'This charset is not supported')
  if (modseq) talk.enableCondstore()
  const goOn = () => {
    if (wire.over) throw new ConnectionOver()
  }
  return { mailbox, saved: mailbox.saved, now: context.clock.now(), logger, goOn }
}

/** Whether it asks for MODSEQ, and whether it names messages by number. */
function surveyed(key: SearchKey): { modseq: boolean; numbers: boolean } {
  let modseq = false
  let numbers = false
  const open: SearchKey[] = [key]
  for (let one = open.pop(); one; one = open.pop()) {
    if (one.kind === 'not') open.push(one.key)
    else if (one.kind === 'and' || one.kind === 'or') for (const member of one.keys) open.push(member)
    else if (one.kind === 'modseq') modseq = true
    else if (one.kind === 'sequence' && one.set !== SAVED) numbers = true
  }
  return { modseq, numbers }
}

/** Places as the client is told of them. */
export function named({ view }: Conversation['mailbox'], places: readonly number[], uid: boolean): number[] {
  return places.map((place) => (uid ? view.uidAt(place) : place + 1))
}

/** RFC 7162 §3.1.5: the highest MODSEQ of what is told, when the search was for one; null where nothing was found. */
export async function highestModseq(
  { mailbox }: Conversation,
  key: SearchKey,
  places: readonly number[],
): Promise<number | null> {
  if (places.length === 0 || !surveyed(key).modseq) return null
  const rows = await mailbox.mail.rows(
    mailbox.id,
    places.map((place) => mailbox.view.uidAt(place)),
  )
  const highest = rows.reduce((most, row) => Math.max(most, row?.modseq ?? 0), 0)
  return highest || null
}

/** Answers with ESEARCH (RFC 4731), and keeps what RETURN (SAVE) says (RFC 5182 §2.1). Places are in the order of the result. */
export async function answerExtended(
  talk: Conversation,
  command: SearchCommand | SortCommand,
  wishes: Wishes,
  matches: Matches,
): Promise<void> {
  const { mailbox, tag } = talk
  const { min, max, partial } = resultOf(wishes, matches)
  const chosen = [...(min === null ? [] : [min]), ...(partial ?? []), ...(max === null ? [] : [max])]
  const told = wishes.whole ? matches.first : chosen
  if (wishes.has('save')) mailbox.saved = uidsAt(mailbox, told)
  if (wishes.silent) return
  const name = (places: readonly number[]) => named(mailbox, places, command.uid)
  talk.untagged(
    formatEsearch({
      tag,
      uid: command.uid,
      min: min === null ? null : name([min])[0]!,
      max: max === null ? null : name([max])[0]!,
      count: wishes.has('count') ? matches.first.length : null,
      all: wishes.has('all') ? compactSequence(name(matches.first)) : null,
      partial: wishes.partial && { range: wishes.partial, found: compactSequence(name(partial ?? [])) },
      modseq: await highestModseq(talk, command.key, told),
    }),
  )
}

function uidsAt({ view }: Conversation['mailbox'], places: readonly number[]): Uid[] {
  const ascending = [...new Set(places)].sort((a, b) => a - b)
  return ascending.map((place) => view.uidAt(place))
}

/** Does a search. One with RETURN (SAVE) that is answered with NO leaves nothing saved; BAD changes nothing (RFC 5182 §2.1). */
export async function keepingSaved(
  { mailbox }: Conversation,
  command: Pick<SearchCommand, 'return'>,
  search: () => Promise<void>,
): Promise<void> {
  try {
    await search()
  } catch (error) {
    const isBad = error instanceof ImapError && error.status === 'BAD'
    if (command.return?.includes('save') && !isBad && !(error instanceof ConnectionOver)) mailbox.saved = []
    throw error
  }
}
