/** Searches a mailbox: first by what the view knows, then by summaries, then by contents, always only what is still undecided. */
import { setImmediate } from 'node:timers/promises'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { MessageText } from '#formats/message/message-text.ts'
import type { Logger } from '#lib/log.ts'
import { openedMessages } from '../fetch/opened-messages.ts'
import type { SelectedMailbox } from '../selected.ts'
import { countKeys, criterion } from './criteria.ts'

/** Messages tested times keys, before others get their turn. */
const AT_ONCE = 50_000

export interface SearchOptions {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly logger: Logger
  /** Asked now and then; throws when nobody waits for the answer any more. */
  readonly goOn: () => void
}

/** Places (from 0) of the messages that match, ascending. Messages that cannot be read match nothing and are logged. */
export async function searchMailbox(
  mailbox: SelectedMailbox,
  key: SearchKey,
  { now, logger, goOn }: SearchOptions,
): Promise<number[]> {
  const { view } = mailbox
  const [plain, cheap, dear] = countKeys(key)
  const turn = Math.ceil(AT_ONCE / (plain + cheap + dear))
  const test = criterion(key, { view, now })
  const matching = new Uint8Array(view.length)
  let undecided: number[] = []
  for (let place = 0; place < matching.length; place++) {
    if (place % turn === turn - 1) await setImmediate()
    const truth = test({ place, message: null })
    if (truth === undefined) undecided.push(place)
    else if (truth) matching[place] = 1
  }
  /** Answers the places that are undecided even then. */
  const decide = async (places: readonly number[], content: boolean): Promise<number[]> => {
    const left: number[] = []
    const uids = places.map((place) => view.uidAt(place))
    let next = 0
    for await (const group of openedMessages(mailbox, uids, { summary: true, content })) {
      for (const opened of group) {
        const place = places[next++]!
        if (opened.kind === 'unreadable')
          logger.error({ uid: opened.uid, error: opened.error as Error }, 'message is unreadable')
        if (opened.kind !== 'open') continue
        const truth = test({ place, message: new MessageText(opened.summary!, opened.content) })
        if (truth === undefined) left.push(place)
        else if (truth) matching[place] = 1
      }
      goOn()
      await setImmediate()
    }
    return left
  }
  if (undecided.length > 0 && cheap > 0) undecided = await decide(undecided, false)
  if (undecided.length > 0) await decide(undecided, true)
  const places: number[] = []
  for (let place = 0; place < matching.length; place++) if (matching[place]) places.push(place)
  return places
}
