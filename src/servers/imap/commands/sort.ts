import type { SortCommand } from '#formats/imap/command.ts'
import { formatNumbers } from '#formats/imap/search-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { answerExtended, begin, highestModseq, keepingSaved, named } from '../search/ask.ts'
import { Wishes } from '../search/results.ts'
import { matchingPlaces } from '../search/search-mailbox.ts'
import { sortedPlaces } from '../search/sort-places.ts'

/** RFC 5256 §3; with RETURN, RFC 5267 §3. */
export async function sort(talk: Conversation, command: SortCommand): Promise<Completion> {
  await keepingSaved(talk, command, async () => {
    const ground = begin(talk, command)
    const places = await sortedPlaces(ground, await matchingPlaces(ground, command.key), command.criteria)
    if (command.return !== null)
      await answerExtended(talk, command, new Wishes(command), { first: places, last: places })
    else {
      const modseq = await highestModseq(talk, command.key, places)
      talk.untagged(formatNumbers('SORT', named(talk.mailbox, places, command.uid), modseq))
    }
  })
  return done('Sorted')
}
