import type { SearchCommand } from '#formats/imap/command.ts'
import { compactSequence, formatSequenceSet } from '#formats/imap/sequence-set.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { ConnectionOver, no } from '../imap-error.ts'
import { searchMailbox } from '../search/search-mailbox.ts'

const CHARSETS: readonly (string | null)[] = [null, 'US-ASCII', 'UTF-8']

/** RFC 3501 §6.4.4; with RETURN, RFC 4731. */
export async function search(talk: Conversation, command: SearchCommand): Promise<Completion> {
  if (!CHARSETS.includes(command.charset)) throw no('BADCHARSET (US-ASCII UTF-8)', 'This charset is not supported')
  const { mailbox, wire, context, logger } = talk
  const goOn = () => {
    if (wire.over) throw new ConnectionOver()
  }
  const places = await searchMailbox(mailbox, command.key, { now: context.clock.now(), logger, goOn })
  const numbers = places.map((place) => (command.uid ? mailbox.view.uidAt(place) : place + 1))
  if (command.return === null) talk.untagged(numbers.length === 0 ? 'SEARCH' : `SEARCH ${numbers.join(' ')}`)
  else talk.untagged(extendedAnswer(talk.tag, command, numbers))
  return done('Searched')
}

/** RFC 4731 §3.1; an empty list of options means ALL. */
function extendedAnswer(tag: string, { uid, return: options }: SearchCommand, numbers: readonly number[]): string {
  const wanted = new Set(options?.length ? options : ['all'])
  const told = [`ESEARCH (TAG "${tag}")`]
  if (uid) told.push('UID')
  if (numbers.length > 0) {
    if (wanted.has('min')) told.push(`MIN ${numbers[0]}`)
    if (wanted.has('max')) told.push(`MAX ${numbers.at(-1)}`)
    if (wanted.has('all')) told.push(`ALL ${formatSequenceSet(compactSequence(numbers))}`)
  }
  if (wanted.has('count')) told.push(`COUNT ${numbers.length}`)
  return told.join(' ')
}
