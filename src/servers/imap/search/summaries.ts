/** Summaries of many messages, for those who look at each once: SEARCH, SORT and THREAD. */
import { setImmediate } from 'node:timers/promises'
import type { ReadMessage, Uid } from '#custody/store/mail-store.ts'
import { BadSummary, type MessageSummary, openSummary } from '#formats/message/summary.ts'
import type { Logger } from '#lib/log.ts'
import type { SearchedMailbox } from './search-ground.ts'

const GROUP = 256
/** Nobody here looks at it. */
const NO_STRUCTURE = { envelope: true, structure: false }

interface ReadingOptions {
  readonly logger: Logger
  /** Throws when nobody waits for the answer any more. */
  readonly goOn: () => void
}

/** In the order of `uids`; null for a message that is gone or cannot be read. The next group is read while one is looked at. */
export async function* readSummaries(
  { mail, id }: SearchedMailbox,
  uids: readonly Uid[],
  { logger, goOn }: ReadingOptions,
): AsyncGenerator<MessageSummary | null> {
  const read = (at: number) =>
    at < uids.length ? mail.messages(id, uids.slice(at, at + GROUP), { summary: true }) : null
  let unreadable = 0
  let ahead = read(0)
  for (let at = 0; ahead; at += GROUP) {
    const group: readonly (ReadMessage | null)[] = await ahead
    ahead = read(at + GROUP)
    // It is awaited a round later, or never when the search ends before.
    ahead?.catch(() => {})
    for (const message of group) {
      const summary = message && summaryOf(message)
      // One line stands for all: after a reset that is every old message, each time a client asks.
      if (message && !summary && unreadable++ === 0)
        logger.error({ mailbox: id, uid: message.uid }, 'message is unreadable')
      yield summary
    }
    goOn()
    await setImmediate()
  }
}

function summaryOf({ summary }: ReadMessage): MessageSummary | null {
  if (summary === null) return null
  try {
    return openSummary(summary, NO_STRUCTURE)
  } catch (error) {
    if (error instanceof BadSummary) return null
    throw error
  }
}
