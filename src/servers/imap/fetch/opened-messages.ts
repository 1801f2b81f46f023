/**
 * Messages on their way to an answer: summaries and contents read a group at a time, the next group while the last one is
 * being used. What is in memory is bounded by two groups, however many messages are asked for.
 */
import { MessageUnreadable, type Uid } from '#custody/store/mail-store.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { BadSummary } from '#formats/message/summary.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { SelectedMailbox } from '../selected.ts'

export interface Needs {
  readonly summary: boolean
  /** 'header': only where the summary has not kept the header. */
  readonly content: boolean | 'header'
  /** The content of the one message that is asked for, where it is still at hand. */
  readonly kept?: Buffer | null
}

export type Opened =
  | {
      readonly kind: 'open'
      readonly uid: Uid
      readonly summary: MessageSummary | null
      readonly content: Buffer | null
    }
  /** Removed by somebody else in the meantime. */
  | { readonly kind: 'gone'; readonly uid: Uid }
  /** The stored form is damaged or sealed to a lost key. */
  | { readonly kind: 'unreadable'; readonly uid: Uid; readonly error: Error }

const ROWS_AT_ONCE = 1000
const SUMMARIES_AT_ONCE = 64
const CONTENTS_AT_ONCE = 8
const CONTENT_OCTETS_AT_ONCE = 8 * 1024 * 1024

/** Groups of messages in the order of `uids`. What is not needed is null. */
export async function* openedMessages(
  mailbox: SelectedMailbox,
  uids: readonly Uid[],
  needs: Needs,
): AsyncGenerator<readonly Opened[]> {
  let ahead: Promise<readonly Opened[]> | null = null
  for (const group of groupsOf(mailbox, uids, needs)) {
    const next = openGroup(mailbox, group, needs)
    // It is awaited a round later, or never when the command ends before.
    next.catch(() => {})
    if (ahead) yield await ahead
    ahead = next
  }
  if (ahead) yield await ahead
}

function* groupsOf({ view }: SelectedMailbox, uids: readonly Uid[], needs: Needs): Generator<readonly Uid[]> {
  const most = needs.content === true ? CONTENTS_AT_ONCE : needs.summary ? SUMMARIES_AT_ONCE : ROWS_AT_ONCE
  let group: Uid[] = []
  let octets = 0
  for (const uid of uids) {
    const size = needs.content === true ? view.sizeAt(view.indexOf(uid)) : 0
    if (group.length === most || (group.length > 0 && octets + size > CONTENT_OCTETS_AT_ONCE)) {
      yield group
      group = []
      octets = 0
    }
    group.push(uid)
    octets += size
  }
  if (group.length > 0) yield group
}

async function openGroup(mailbox: SelectedMailbox, uids: readonly Uid[], needs: Needs): Promise<readonly Opened[]> {
  const summaries = needs.summary ? await summariesOf(mailbox, uids) : null
  return Promise.all(
    uids.map(async (uid, index): Promise<Opened> => {
      const summary = summaries?.[index] ?? null
      if (summary instanceof Error) return { kind: 'unreadable', uid, error: summary }
      if (summaries && summary === null) return { kind: 'gone', uid }
      if (!needs.content || (needs.content === 'header' && summary?.header))
        return { kind: 'open', uid, summary, content: null }
      try {
        const content = needs.kept ?? (await mailbox.mail.read(mailbox.id, uid))
        return content === null ? { kind: 'gone', uid } : { kind: 'open', uid, summary, content: asBuffer(content) }
      } catch (error) {
        if (isUnreadable(error)) return { kind: 'unreadable', uid, error: error as Error }
        throw error
      }
    }),
  )
}

/** One damaged summary must not take its neighbours along. */
async function summariesOf(
  { summaries }: SelectedMailbox,
  uids: readonly Uid[],
): Promise<readonly (MessageSummary | null | Error)[]> {
  try {
    return await summaries.summaries(uids)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    const one = (uid: Uid) => summaries.summaries([uid]).then(([summary]) => summary ?? null)
    return Promise.all(
      uids.map((uid) =>
        one(uid).catch((cause) => {
          if (isUnreadable(cause)) return cause as Error
          throw cause
        }),
      ),
    )
  }
}

const isUnreadable = (error: unknown) => error instanceof MessageUnreadable || error instanceof BadSummary
