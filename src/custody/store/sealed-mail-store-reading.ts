/** Many messages opened together: their entries from the index, their contents with the session keys that those hold. */
import { type Bytes, giveUp, wipe } from '#lib/bytes.ts'
import type { ContentId, IndexedAccountMail } from './indexed-mail-store.ts'
import { type MailboxId, MessageUnreadable, type ReadMessage, type Uid, type Wanted } from './mail-store.ts'
import type { SealedIndex } from './sealed-mail-store-index.ts'
import { unsealContent } from './sealed-mail-store-opener.ts'
import type { Found } from './sealed-mail-store-unsealing.ts'
import { decodeEntry } from './summary-entry.ts'

type Closed = Extract<Found['entry'], string>

/** What readers are told of a message that cannot be opened. */
export const WHY_CLOSED: Readonly<Record<Closed, string>> = {
  lost: 'the message is sealed to a key that is not here',
  damaged: 'the stored message is damaged: restore it from a backup',
  unwritten: 'the message was opened and cannot be written down now: try again later',
}

interface Means {
  readonly inner: IndexedAccountMail
  readonly index: SealedIndex
  /** Looks at one message alone, as often as others change it meanwhile. */
  readonly readAlone: (uid: Uid) => Promise<Bytes | null>
}

interface Asked {
  readonly uids: readonly Uid[]
  readonly wanted: Wanted
}

/** In the order asked for; null for a uid that is gone. */
export async function readMessages(
  { inner, index, readAlone }: Means,
  mailbox: MailboxId,
  { uids, wanted }: Asked,
): Promise<readonly (ReadMessage | null)[]> {
  const found = await index.find(mailbox, uids)
  try {
    const open = found.flatMap((one) => (one && typeof one.entry !== 'string' ? [one.content] : []))
    const contents = wanted.content ? await inner.contents.readAll(open) : null
    const answers: (ReadMessage | null)[] = []
    for (const one of found) answers.push(one && (await answerOf(one, { wanted, contents, readAlone })))
    return answers
  } finally {
    // A summary that is handed out lies in its entry.
    for (const one of found)
      if (one && typeof one.entry !== 'string') wipe(wanted.summary ? decodeEntry(one.entry)!.sessionKey : one.entry)
  }
}

interface ReadTogether extends Pick<Means, 'readAlone'> {
  readonly wanted: Wanted
  readonly contents: Map<ContentId, Bytes | MessageUnreadable> | null
}

async function answerOf(
  { uid, content: id, entry, row: known }: Found,
  { wanted, contents, readAlone }: ReadTogether,
): Promise<ReadMessage | null> {
  const row = wanted.row ? known : null
  if (typeof entry === 'string') return { uid, row, summary: null, content: null, unreadable: WHY_CLOSED[entry] }
  const { sessionKey, summary: encoded } = decodeEntry(entry)!
  const summary = wanted.summary ? encoded : null
  if (!contents) return { uid, row, summary, content: null, unreadable: null }
  try {
    const sealed = contents.get(id)
    if (sealed instanceof MessageUnreadable) throw sealed
    // Given up; who asked for it twice waits for it twice.
    contents.delete(id)
    // What is not there any more went, or was re-sealed, between the two questions.
    const content = sealed ? unsealed(sealed, sessionKey) : await readAlone(uid)
    return content && { uid, row, summary, content, unreadable: null }
  } catch (error) {
    if (!(error instanceof MessageUnreadable)) throw error
    return { uid, row, summary, content: null, unreadable: error.message }
  }
}

function unsealed(sealed: Bytes, sessionKey: Bytes): Bytes {
  const content = unsealContent(sealed, sessionKey)
  if (sealed.byteLength === sealed.buffer.byteLength) giveUp(sealed.buffer)
  return content
}
