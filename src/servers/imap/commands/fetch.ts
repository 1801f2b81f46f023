import { setImmediate } from 'node:timers/promises'
import type { MessageRow, Uid } from '#custody/store/mail-store.ts'
import type { FetchCommand } from '#formats/imap/command.ts'
import { type FetchItem, setsSeen } from '#formats/imap/fetch-item.ts'
import { release } from '#lib/bytes.ts'
import { Turn } from '#lib/turn.ts'
import { COPIED } from '#servers/line/outgoing.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { type Chosen, chosenMessages } from '../fetch/chosen.ts'
import type { KeptContents } from '../fetch/kept-contents.ts'
import { type Needs, needsOf } from '../fetch/needs.ts'
import { type Opened, openedMessages } from '../fetch/opened-messages.ts'
import { isLasting, LOOKED_AHEAD, uidsAhead } from '../fetch/queued-fetches.ts'
import { sendResponse } from '../fetch/response.ts'
import { bad, no } from '../imap-error.ts'
import type { SelectedMailbox } from '../selected.ts'

const NONE: ReadonlyMap<Uid, MessageRow> = new Map()

/** What could not be answered. */
interface Missed {
  readonly gone: Uid[]
  unreadable: number
  undecodable: number
}

/** RFC 3501 §6.4.5. */
export async function fetch(talk: Conversation, command: FetchCommand): Promise<Completion> {
  const { mailbox } = talk
  const items = itemsOf(talk, command)
  const chosen = await chosenMessages(mailbox, command)
  talk.wire.send(chosen.vanished)
  const missed = await answerAll(talk, command, chosen, items)
  await complain(mailbox, command, missed)
  // RFC 2180 §4.1.2, RFC 5530 §3: the client learns which by EXPUNGE, which must not be sent now. Not NO, at which clients give up.
  return command.uid || missed.gone.length === 0 ? done('Fetched') : done('Some messages are gone', 'EXPUNGEISSUED')
}

/** RFC 3501 §6.4.8: UID FETCH always answers with the UID, but for UIDFETCH, which has it in front. */
function itemsOf(talk: Conversation, { items, uid, changedSince, vanished }: FetchCommand): readonly FetchItem[] {
  // RFC 7162 §3.2.6
  if (vanished && !talk.enabled.has('QRESYNC')) throw bad('Enable QRESYNC first')
  const wants = (kind: FetchItem['kind']) => items.some((one) => one.kind === kind)
  const all: FetchItem[] = uid && !talk.mailbox.manner.uidOnly && !wants('uid') ? [{ kind: 'uid' }] : []
  all.push(...items)
  // RFC 7162 §3.1.4.1
  if (changedSince !== null && !wants('modseq')) all.push({ kind: 'modseq' })
  if (changedSince !== null || wants('modseq')) talk.enableCondstore()
  return all
}

/** What messages are read for, and where one that is read piece by piece is kept. */
interface Reading {
  readonly needs: Needs
  readonly kept: KeptContents | null
}

function readMessages(
  talk: Conversation,
  command: FetchCommand,
  { uids, rows }: Chosen,
  { needs, kept }: Reading,
): AsyncIterable<readonly Opened[]> {
  const { mailbox, input, queuedFetches } = talk
  if (uids.length !== 1 || kept || !isLasting(needs)) {
    const content = kept?.find(mailbox, uids[0]!) ?? null
    return openedMessages(mailbox, uids, needs, { rows, content })
  }
  const ahead = () => uidsAhead(mailbox, command, input.fetchesAhead(LOOKED_AHEAD))
  return queuedFetches.one(mailbox, uids[0]!, needs, ahead)
}

async function answerAll(
  talk: Conversation,
  command: FetchCommand,
  chosen: Chosen,
  items: readonly FetchItem[],
): Promise<Missed> {
  const { wire, logger, tally, mailbox } = talk
  const missed: Missed = { gone: [], unreadable: 0, undecodable: 0 }
  const marks = !mailbox.readOnly && items.some(setsSeen)
  const single = chosen.uids.length === 1
  const kept = single && items.some(isPiece) ? talk.context.kept : null
  const needs = needsOf(items)
  const answering = { mailbox, items, turn: new Turn(talk.context.clock) }
  const reading = { needs: { ...needs, row: needs.row || marks }, kept }
  for await (const group of readMessages(talk, command, chosen, reading)) {
    const marked = marks ? await markSeen(mailbox, group) : NONE
    wire.send(mailbox.tellKeywords())
    for (const opened of group) {
      if (opened.kind === 'gone') missed.gone.push(opened.uid)
      else if (opened.kind === 'unreadable') {
        // One line stands for all: after a reset that is every old message, each time a client asks.
        if (missed.unreadable++ === 0)
          logger.error({ mailbox: mailbox.id, uid: opened.uid, why: opened.why }, 'message is unreadable')
      } else {
        tally.fetched++
        if (opened.content) kept?.keep(mailbox, opened.uid, opened.content)
        const row = marked.get(opened.uid)
        const message = row ? { ...opened, row } : opened
        if (!(await sendResponse(wire, answering, message, row !== undefined))) missed.undecodable++
        if (opened.content && opened.content.length <= COPIED && !kept) release(opened.content)
      }
    }
    // Others get their turn between the groups of a large mailbox.
    if (!single) await setImmediate()
  }
  return missed
}

const isPiece = (one: FetchItem) => (one.kind === 'section' || one.kind === 'binary') && one.partial !== null

/** Sets \Seen on what is about to be read, in one change; answers the rows of those that did not have it. */
async function markSeen(mailbox: SelectedMailbox, group: readonly Opened[]): Promise<ReadonlyMap<Uid, MessageRow>> {
  const unseen = group.filter((one) => one.kind === 'open' && !one.row!.flags.includes('\\Seen'))
  if (unseen.length === 0) return NONE
  const change = { mode: 'add', flags: ['\\Seen'] } as const
  const uids = unseen.map(({ uid }) => uid)
  const { rows } = await mailbox.setFlags(uids, change)
  return new Map(rows.map((row) => [row.uid, row]))
}

/** Throws when the answer is not whole. */
async function complain(mailbox: SelectedMailbox, { uid: byUid }: FetchCommand, missed: Missed): Promise<void> {
  const { gone, undecodable } = missed
  let { unreadable } = missed
  if (gone.length > 0 && !byUid) {
    // The store has no summary of what it cannot open either.
    await mailbox.look()
    unreadable += gone.filter((uid) => !mailbox.isGone(uid)).length
  }
  if (unreadable > 0) throw no('CONTACTADMIN', `${unreadable} of these messages cannot be read`)
  // RFC 3516 §4.3
  if (undecodable > 0) throw no('UNKNOWN-CTE', `${undecodable} of these messages have a part in an unknown encoding`)
}
