/** Searches by reading messages: what is true without an index, and what decides where an index cannot. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fold } from '#formats/message/fold.ts'
import { MessageText, type TextQuery } from '#formats/message/message-text.ts'
import { summarize } from '#formats/message/summary.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { AccountMail, MailboxId, TextMatches, Uid } from './mail-store.ts'

/** Messages that are open together. */
const GROUP = 32

export type MessageReader = Pick<AccountMail, 'messages'>

/** The texts of a message from its octets. */
export function messageText(content: Bytes): MessageText {
  return new MessageText(summarize(content), asBuffer(content))
}

/** Those of `uids` that match; one that is gone or cannot be read matches nothing. */
export async function matchingUids(
  mail: MessageReader,
  mailbox: MailboxId,
  uids: readonly Uid[],
  query: TextQuery,
): Promise<Uid[]> {
  const folded = fold(query.text)
  const matching: Uid[] = []
  for (let at = 0; at < uids.length; at += GROUP) {
    for (const read of await mail.messages(mailbox, uids.slice(at, at + GROUP), { content: true }))
      if (read?.content && messageText(read.content).matches(query, folded)) matching.push(read.uid)
    await nextTurn()
  }
  return matching
}

/** The answers of a store that has no index and can read all of it. */
export async function searchByReading(
  mail: Pick<AccountMail, 'messages' | 'list'>,
  mailbox: MailboxId,
  queries: readonly TextQuery[],
): Promise<readonly TextMatches[]> {
  const uids = (await mail.list(mailbox)).map(({ uid }) => uid)
  const answers: TextMatches[] = []
  for (const query of queries)
    answers.push({
      yes: Uint32Array.from(await matchingUids(mail, mailbox, uids, query)),
      open: new Uint32Array(),
    })
  return answers
}
