import type { SearchCommand } from '#formats/imap/command.ts'
import { formatNumbers } from '#formats/imap/search-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { answerExtended, begin, highestModseq, keepingSaved, named } from '../search/ask.ts'
import { type Matches, Wishes } from '../search/results.ts'
import type { SearchGround } from '../search/search-ground.ts'
import { matchingPlaces, searchMailbox } from '../search/search-mailbox.ts'

/** RFC 3501 §6.4.4; with RETURN, RFC 4731. */
export async function search(talk: Conversation, command: SearchCommand): Promise<Completion> {
  await keepingSaved(talk, command, async () => {
    const ground = begin(talk, command)
    const wishes = new Wishes(command)
    const matches = await findMatches(ground, command, wishes)
    // RFC 9051 §6.4.4: after ENABLE IMAP4rev2 every answer is ESEARCH.
    if (command.return !== null || talk.enabled.has('IMAP4rev2')) await answerExtended(talk, command, wishes, matches)
    else {
      const modseq = await highestModseq(talk, command.key, matches.first)
      talk.untagged(formatNumbers('SEARCH', named(talk.mailbox, matches.first, command.uid), modseq))
    }
  })
  return done('Searched')
}

/** Looks no further than it must. */
async function findMatches(ground: SearchGround, { key }: SearchCommand, wishes: Wishes): Promise<Matches> {
  if (wishes.whole) {
    const all = await matchingPlaces(ground, key)
    return { first: all, last: all }
  }
  const { fromStart, fromEnd } = wishes
  const first = fromStart > 0 ? await take(ground, key, fromStart, false) : []
  // Fewer than asked for are all there are.
  if (fromStart > 0 && first.length < fromStart) return { first, last: first }
  return { first, last: fromEnd > 0 ? await take(ground, key, fromEnd, true) : [] }
}

/** At least the first `most` matches, or with `backwards` the last, ascending; fewer when there are no more. */
async function take(ground: SearchGround, key: SearchCommand['key'], most: number, backwards: boolean) {
  const pages: (readonly number[])[] = []
  let count = 0
  for await (const page of searchMailbox(ground, key, backwards)) {
    pages.push(page)
    count += page.length
    if (count >= most) break
  }
  return (backwards ? pages.reverse() : pages).flat()
}
