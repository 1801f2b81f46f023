/**
 * Clients that synchronise ask for one message after the other and do not wait in between. What their next commands want is
 * read together with what this one wants, as if one command had asked for all of it. Only contents are read ahead, which never change.
 */
import type { Uid } from '#custody/store/mail-store.ts'
import type { FetchCommand } from '#formats/imap/command.ts'
import { uidsOf } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'
import type { Needs } from './needs.ts'
import { type Opened, openedMessages } from './opened-messages.ts'

/** Commands that are looked at. */
export const LOOKED_AHEAD = 64

export class QueuedFetches {
  #mailbox: SelectedMailbox | null = null
  #needs: Needs | null = null
  #groups: AsyncIterator<readonly Opened[]> | null = null
  /** Read and not yet asked for. */
  #opened: Opened[] = []
  /** Those that come next, in their order. */
  #uids: Uid[] = []

  /** The one message. `ahead`: uids that the next commands want in the same way. */
  async *one(
    mailbox: SelectedMailbox,
    uid: Uid,
    needs: Needs,
    ahead: () => readonly Uid[],
  ): AsyncGenerator<readonly Opened[]> {
    const isNext = this.#mailbox === mailbox && this.#uids[0] === uid && sameNeeds(this.#needs, needs)
    if (!isNext) {
      this.forget()
      this.#mailbox = mailbox
      this.#needs = needs
      this.#uids = [uid, ...ahead()]
      this.#groups = openedMessages(mailbox, this.#uids.slice(), needs)[Symbol.asyncIterator]()
    }
    this.#uids.shift()
    yield [await this.#take()]
    // The client may ask for nothing more for as long as it likes.
    if (this.#uids.length === 0) this.forget()
  }

  async #take(): Promise<Opened> {
    try {
      if (this.#opened.length === 0) this.#opened = [...(await this.#groups!.next()).value!]
      return this.#opened.shift()!
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Lets go of what nobody has asked for. */
  forget(): void {
    this.#mailbox = null
    this.#groups?.return?.().catch(() => {})
    this.#groups = null
    this.#opened = []
    this.#uids = []
  }
}

function sameNeeds(one: Needs | null, other: Needs): boolean {
  return one !== null && one.summary === other.summary && one.content === other.content
}

/** Whether messages that are wanted like this may be read ahead: nothing about them can change. */
export function isLasting({ row, facts, content }: Needs): boolean {
  return content === true && !row && !facts
}

/** Of commands that follow `command`, the uids of those that want one message each in the same way, as long as they ascend. */
export function uidsAhead(mailbox: SelectedMailbox, command: FetchCommand, next: readonly FetchCommand[]): Uid[] {
  const items = JSON.stringify(command.items)
  const uids: Uid[] = []
  let last = uidsOf(mailbox, command.set, command.uid)[0] ?? 0
  for (const { uid, set, changedSince, partial, items: others } of next) {
    const isAlike =
      uid && changedSince === null && partial === null && set.length === 1 && set[0]!.first === set[0]!.last
    if (!isAlike || JSON.stringify(others) !== items) break
    const [one] = uidsOf(mailbox, set, true)
    if (one === undefined || one <= last) break
    uids.push(one)
    last = one
  }
  return uids
}
