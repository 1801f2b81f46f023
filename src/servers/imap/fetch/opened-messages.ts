/**
 * Messages on their way to an answer, read a group at a time in one question to the store, the next group while the last one is
 * being used. What is in memory is bounded by two groups, however many messages are asked for.
 */
import type { MessageFacts, MessageRow, Uid } from '#custody/store/mail-store.ts'
import { previewOf } from '#formats/message/preview.ts'
import { BadSummary, type MessageSummary, openSummary } from '#formats/message/summary.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { SelectedMailbox } from '../selected.ts'
import type { Room } from './large-contents.ts'
import type { Needs } from './needs.ts'

/** What is not needed is null. */
export type Opened =
  | {
      readonly kind: 'open'
      readonly uid: Uid
      readonly row: MessageRow | null
      readonly facts: MessageFacts | null
      readonly summary: MessageSummary | null
      readonly content: Buffer | null
    }
  /** Removed by somebody else in the meantime. */
  | { readonly kind: 'gone'; readonly uid: Uid }
  /** The stored form is damaged or sealed to a lost key. */
  | { readonly kind: 'unreadable'; readonly uid: Uid; readonly why: string }

interface Group {
  readonly uids: readonly Uid[]
  /** Of the same messages, where they are known already. */
  readonly rows: readonly (MessageRow | null)[] | null
}

const ROWS_AT_ONCE = 4096
const SUMMARIES_AT_ONCE = 256
/** Encoded; those of a flood of messages with thousands of parts are read fewer at a time. */
const SUMMARY_OCTETS_AT_ONCE = 1024 * 1024
/** Decoded, they take several times as much, and time that others wait for. */
const DECODED_AT_ONCE = 32
const CONTENTS_AT_ONCE = 64
/** Enough to be worth a question; more of it only waits for the client, and for the garbage collector. */
const CONTENT_OCTETS_AT_ONCE = 512 * 1024
/** The first group is small, so that the client has something to do soon; each one after it is twice as large, up to the most. */
const FIRST_GROUP = 8

/** What is at hand already of the messages that are asked for. */
export interface AtHand {
  /** Of all of them. */
  readonly rows?: readonly MessageRow[] | null
  /** Of the one that is asked for. */
  readonly content?: Buffer | null
}

/** Groups of messages in the order of `uids`. */
export async function* openedMessages(
  mailbox: SelectedMailbox,
  uids: readonly Uid[],
  needs: Needs,
  atHand: AtHand = {},
): AsyncGenerator<readonly Opened[]> {
  const pace: Pace = { size: FIRST_GROUP * 8 }
  let ahead: Promise<ReadGroup> | null = null
  try {
    for await (const group of groupsOf(mailbox, uids, needs, { pace, rows: atHand.rows ?? null })) {
      const last: Promise<ReadGroup> | null = ahead
      ahead = readGroup(mailbox, group, needs, atHand.content ?? null)
      // It is awaited a round later, or never when the command ends before.
      ahead.catch(() => {})
      if (last) yield* lent(mailbox, last, needs, pace)
    }
    const last = ahead
    ahead = null
    if (last) yield* lent(mailbox, last, needs, pace)
  } finally {
    ahead?.then(({ room }) => room?.[Symbol.dispose]()).catch(() => {})
  }
}

/** What is lent is given back when the next group is asked for. */
async function* lent(
  mailbox: SelectedMailbox,
  group: Promise<ReadGroup>,
  needs: Needs,
  pace: Pace,
): AsyncGenerator<readonly Opened[]> {
  const { messages, room } = await group
  using _room = room
  yield* decoded(mailbox, messages, needs, pace)
}

/** How many messages are asked for next, where they have no contents. */
interface Pace {
  size: number
}

async function* groupsOf(
  mailbox: SelectedMailbox,
  uids: readonly Uid[],
  needs: Needs,
  { pace, rows }: { readonly pace: Pace; readonly rows: readonly MessageRow[] | null },
): AsyncGenerator<Group> {
  if (needs.content === true && uids.length > 1) return yield* groupsBySize(mailbox, uids, rows)
  for (let start = 0, end = 0; start < uids.length; start = end) {
    end = start + pace.size
    yield { uids: uids.slice(start, end), rows: rows?.slice(start, end) ?? null }
  }
}

/** The sizes are in the rows, which are read before. */
async function* groupsBySize(
  mailbox: SelectedMailbox,
  uids: readonly Uid[],
  known: readonly MessageRow[] | null,
): AsyncGenerator<Group> {
  let most = FIRST_GROUP
  for (let chunk = 0; chunk < uids.length; chunk += ROWS_AT_ONCE) {
    const wanted = uids.slice(chunk, chunk + ROWS_AT_ONCE)
    const rows = known?.slice(chunk, chunk + ROWS_AT_ONCE) ?? (await mailbox.rows(wanted))
    for (let start = 0, end = 0; start < wanted.length; start = end) {
      for (let octets = 0; end < wanted.length && end - start < most; end++) {
        octets += rows[end]?.paddedSize ?? 0
        if (end > start && octets > CONTENT_OCTETS_AT_ONCE) break
      }
      yield { uids: wanted.slice(start, end), rows: rows.slice(start, end) }
      most = Math.min(most * 2, CONTENTS_AT_ONCE)
    }
  }
}

/** A message whose summary is still encoded. */
type Unread = Exclude<Opened, { kind: 'open' }> | (Clear & { readonly kind: 'open'; readonly encoded: Bytes | null })

interface ReadGroup {
  readonly messages: readonly Unread[]
  /** Until the client has been sent them. */
  readonly room: Room | null
}

async function readGroup(
  mailbox: SelectedMailbox,
  group: Group,
  needs: Needs,
  kept: Buffer | null,
): Promise<ReadGroup> {
  if (needs.content !== true || kept !== null)
    return { messages: await askFor(mailbox, group, needs, kept), room: null }
  const sum = (rows: readonly (MessageRow | null)[]) => rows.reduce((octets, row) => octets + (row?.paddedSize ?? 0), 0)
  const room = await mailbox.contents.room(
    group.rows ? sum(group.rows) : async () => sum(await mailbox.rows(group.uids)),
  )
  try {
    const messages = await askFor(mailbox, group, needs, null)
    room.shrink(messages.reduce((octets, one) => octets + (one.kind === 'open' ? (one.content?.length ?? 0) : 0), 0))
    return { messages, room }
  } catch (error) {
    room[Symbol.dispose]()
    throw error
  }
}

async function askFor(
  mailbox: SelectedMailbox,
  { uids, rows: known }: Group,
  needs: Needs,
  kept: Buffer | null,
): Promise<readonly Unread[]> {
  const { mail, id } = mailbox
  const content = needs.content === true && kept === null
  const row = needs.row === true && known === null
  const together = needs.summary || content
  const [found, facts, alone] = await Promise.all([
    together ? mail.messages(id, uids, { row, summary: needs.summary, content }) : null,
    needs.facts ? mail.facts(id, uids) : null,
    row && !together ? mailbox.rows(uids) : null,
  ])
  if (row && found) for (const one of found) if (one?.row) mailbox.learn(one.row)
  const rows = known ?? alone ?? (row && found ? found.map((one) => one?.row ?? null) : null)
  return uids.map((uid, index): Unread => {
    if (found?.[index] === null || facts?.[index] === null || rows?.[index] === null) return { kind: 'gone', uid }
    const { unreadable = null, summary = null, content = null } = found?.[index] ?? {}
    if (unreadable !== null) return { kind: 'unreadable', uid, why: unreadable }
    return {
      kind: 'open',
      uid,
      row: rows?.[index] ?? null,
      facts: facts?.[index] ?? null,
      content: content ? asBuffer(content) : kept,
      encoded: summary,
    }
  })
}

type Clear = Omit<Extract<Opened, { kind: 'open' }>, 'kind' | 'summary'>

/** Says how many may be read next. */
async function* decoded(
  mailbox: SelectedMailbox,
  group: readonly Unread[],
  needs: Needs,
  pace: Pace,
): AsyncGenerator<readonly Opened[]> {
  const { summary, content } = needs
  const octets = group.reduce((sum, one) => sum + (one.kind === 'open' ? (one.encoded?.byteLength ?? 0) : 0), 0)
  const fitting = Math.max(1, Math.floor((group.length * SUMMARY_OCTETS_AT_ONCE) / Math.max(octets, 1)))
  pace.size = Math.min(pace.size * 2, fitting, summary ? SUMMARIES_AT_ONCE : ROWS_AT_ONCE)
  // Contents are few at a time already; rows need no decoding.
  const size = summary && content !== true ? DECODED_AT_ONCE : group.length
  for (let start = 0; start < group.length; start += size) {
    const some = group.slice(start, start + size).map((one) => openedOf(one, needs))
    yield content === 'header' || content === 'preview' ? await completed(mailbox, some, content) : some
  }
}

function openedOf(one: Unread, { envelope = false, structure = false }: Needs): Opened {
  if (one.kind !== 'open') return one
  const { kind, uid, row, facts, content, encoded } = one
  try {
    return { kind, uid, row, facts, content, summary: encoded && openSummary(encoded, { envelope, structure }) }
  } catch (error) {
    if (!(error instanceof BadSummary)) throw error
    return { kind: 'unreadable', uid, why: error.message }
  }
}

/** Puts in what a summary lacks, from the content: few need it, if any. */
async function completed(
  mailbox: SelectedMailbox,
  group: readonly Opened[],
  lacking: 'header' | 'preview',
): Promise<readonly Opened[]> {
  const lacks = (one: Opened) => one.kind === 'open' && one.summary?.[lacking] === null
  const uids = group.filter(lacks).map(({ uid }) => uid)
  if (uids.length === 0) return group
  const complete = new Map<Uid, Opened>()
  const needs = { summary: false, content: true }
  const before = new Map(group.map((one) => [one.uid, one]))
  for await (const some of openedMessages(mailbox, uids, needs))
    for (const one of some) complete.set(one.uid, completedOne(before.get(one.uid)!, one, lacking))
  return group.map((one) => complete.get(one.uid) ?? one)
}

/** Copies, so that the content itself need not stay in memory. */
function completedOne(one: Opened, read: Opened, lacking: 'header' | 'preview'): Opened {
  if (one.kind !== 'open' || read.kind !== 'open' || !one.summary || !read.content) return read
  const { size, envelope, root, references, header, preview } = one.summary
  const { start, end } = root.header
  const found =
    lacking === 'header'
      ? { header: Buffer.from(read.content.subarray(start, end)), preview }
      : { header, preview: previewOf(root, read.content) }
  return { ...one, summary: { size, envelope, root, references, ...found } }
}
