import { setImmediate } from 'node:timers/promises'
import type { Uid } from '#custody/store/mail-store.ts'
import type { FetchCommand } from '#formats/imap/command.ts'
import { type FetchItem, setsSeen } from '#formats/imap/fetch-item.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { type Needs, type Opened, openedMessages } from '../fetch/opened-messages.ts'
import { fetchResponse } from '../fetch/response.ts'
import { isInHeader, isWhole } from '../fetch/section.ts'
import { bad, no } from '../imap-error.ts'
import { uidsOf } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'

const NONE: ReadonlySet<Uid> = new Set()

/** RFC 3501 §6.4.5. */
export async function fetch(talk: Conversation, command: FetchCommand): Promise<Completion> {
  const items = itemsOf(command)
  const { mailbox, wire, logger, tally } = talk
  const uids = uidsOf(mailbox, command.set, command.uid)
  const marks = !mailbox.readOnly && items.some(setsSeen)
  const kept = uids.length === 1 && items.some(isPiece) ? talk.context.kept : null
  const needs = { ...needsOf(items), kept: kept?.find(mailbox, uids[0]!) ?? null }
  const gone: Uid[] = []
  let unreadable = 0
  for await (const group of openedMessages(mailbox, uids, needs)) {
    const marked = marks ? await markSeen(mailbox, group) : NONE
    for (const opened of group) {
      if (opened.kind === 'gone') gone.push(opened.uid)
      else if (opened.kind === 'unreadable') {
        // One line stands for all: after a reset that is every old message, each time a client asks.
        if (unreadable++ === 0)
          logger.error({ mailbox: mailbox.id, uid: opened.uid, error: opened.error }, 'message is unreadable')
      } else {
        tally.fetched++
        if (opened.content) kept?.keep(mailbox, opened.uid, opened.content)
        wire.send(...fetchResponse(mailbox, items, opened, marked.has(opened.uid)))
      }
    }
    await wire.flush()
    // Others get their turn between the groups of a large mailbox.
    await setImmediate()
  }
  if (gone.length > 0 && !command.uid) {
    // The store has no summary of what it cannot open either.
    await mailbox.look()
    unreadable += gone.filter((uid) => !mailbox.isGone(uid)).length
  }
  if (unreadable > 0) throw no('CONTACTADMIN', `${unreadable} of these messages cannot be read`)
  // RFC 2180 §4.1: the client learns of it by EXPUNGE, which must not be sent now.
  if (gone.length > 0 && !command.uid) throw no('EXPUNGEISSUED', 'Some of these messages are gone')
  return done('Fetched')
}

const isPiece = (item: FetchItem) => item.kind === 'section' && item.partial !== null

/** RFC 3501 §6.4.8: UID FETCH always answers with the UID. */
function itemsOf({ items, uid, changedSince, vanished }: FetchCommand): readonly FetchItem[] {
  if (changedSince !== null || vanished || items.some(({ kind }) => kind === 'modseq')) throw bad('Not supported')
  return uid && !items.some(({ kind }) => kind === 'uid') ? [{ kind: 'uid' }, ...items] : items
}

function needsOf(items: readonly FetchItem[]): Needs {
  const needs = items.map(needsOfItem)
  const contents = needs.map(({ content }) => content)
  return {
    summary: needs.some(({ summary }) => summary),
    content: contents.includes(true) || (contents.includes('header') ? 'header' : false),
  }
}

function needsOfItem(item: FetchItem): Needs {
  switch (item.kind) {
    case 'uid':
    case 'flags':
    case 'internalDate':
    case 'modseq':
      return { summary: false, content: false }
    case 'envelope':
    case 'size':
    case 'body':
    case 'bodyStructure':
      return { summary: true, content: false }
    case 'rfc822':
      return { summary: false, content: true }
    case 'rfc822Text':
      return { summary: true, content: true }
    case 'rfc822Header':
      return { summary: true, content: 'header' }
    case 'binary':
    case 'binarySize':
    case 'preview':
    case 'emailId':
    case 'threadId':
    case 'saveDate':
      throw bad('Not supported')
    case 'section':
      return { summary: !isWhole(item.section), content: isInHeader(item.section) ? 'header' : true }
  }
}

/** Sets \Seen on what is about to be read, in one change; answers those that did not have it. */
async function markSeen(mailbox: SelectedMailbox, group: readonly Opened[]): Promise<ReadonlySet<Uid>> {
  const { view, mail } = mailbox
  const unseen = group
    .filter(({ kind, uid }) => kind === 'open' && !view.flagsAt(view.indexOf(uid)).seen)
    .map(({ uid }) => uid)
  if (unseen.length === 0) return NONE
  const { rows } = await mail.setFlags(mailbox.id, unseen, { mode: 'add', flags: ['\\Seen'] })
  mailbox.update(rows)
  return new Set(rows.map(({ uid }) => uid))
}
