/** How messages come into the index of texts: read in groups, cut up, and left out where that cannot be. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MessageText } from '#formats/message/message-text.ts'
import type { SearchIndex } from '../search/search-index.ts'
import type { ContentId, PlacedContent, Searchable } from './indexed-mail-store.ts'
import type { AccountMail } from './mail-store.ts'
import { messageText } from './read-search.ts'

/** Messages read together, and their octets: all of them are in memory. */
export const GROUP = 64
const GROUP_OCTETS = 3_000_000
/** Octets of text parts, and header fields, of a message that is indexed; a larger one is looked at each time. */
const TEXT_LIMIT = 2_000_000
const FIELDS_LIMIT = 20_000
const ALL_LIMIT = 5000

interface Reader {
  readonly searchable: Searchable
  readonly mail: Pick<AccountMail, 'messages'>
}

/** The first of them, as many as may be read together. */
export function groupOf(found: readonly PlacedContent[]): readonly PlacedContent[] {
  let octets = 0
  const after = found.findIndex(({ size }, index) => {
    octets += size
    return octets > GROUP_OCTETS || index >= GROUP
  })
  return after < 0 ? found : found.slice(0, Math.max(1, after))
}

/** What of a group is not in the index yet; `seen` is called with each text that was read (null: no key opens it). To be flushed. */
export async function takeIn(
  index: SearchIndex,
  { mail, searchable }: Reader,
  group: readonly PlacedContent[],
  seen: (content: ContentId, text: MessageText | null) => void = () => {},
): Promise<void> {
  const wanted = new Map<ContentId, PlacedContent>()
  for (const one of group) if (!index.has(one.content)) wanted.set(one.content, one)
  for (const [mailbox, placed] of Map.groupBy(wanted.values(), (one) => one.mailbox)) {
    const uids = placed.map(({ uid }) => uid)
    const read = await mail.messages(mailbox, uids, { content: true })
    const contents = new Set(placed.map(({ content }) => content))
    const [first, last] = [Math.min(...contents), Math.max(...contents)]
    // One that was opened or re-sealed meanwhile has another content, which comes by later.
    const still = new Set((await searchable.placed({ first, last }, ALL_LIMIT)).map(placeName))
    for (const [at, one] of placed.entries()) {
      const message = read[at]
      if (!message) continue
      const text = message.content && messageText(message.content)
      seen(one.content, text)
      if (still.has(placeName(one))) await take(index, one.content, text)
    }
  }
}

async function take(index: SearchIndex, id: ContentId, text: MessageText | null): Promise<void> {
  if (!text) index.leaveOut(id, 'unreadable')
  else if (isLarge(text)) index.leaveOut(id, 'large')
  else await index.add(id, { fields: text.fields()!, bodies: text.bodies()! })
  await nextTurn()
}

function placeName({ content, mailbox, uid }: PlacedContent): string {
  return `${content} ${mailbox} ${uid}`
}

/** It would keep others waiting too long. */
function isLarge(text: MessageText): boolean {
  const { root } = text.summary
  let octets = 0
  let parts = 0
  const open = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    parts++
    octets += part.header.end - part.header.start
    if (part.type === 'text') octets += part.body.end - part.body.start
    open.push(...part.children)
  }
  return octets > TEXT_LIMIT || parts > FIELDS_LIMIT || (text.fields()?.length ?? 0) > FIELDS_LIMIT
}

export async function everyContent(searchable: Searchable): Promise<ReadonlySet<ContentId>> {
  const contents = new Set<ContentId>()
  for (let last = Number.MAX_SAFE_INTEGER; last >= 1; ) {
    const page = await searchable.placed({ first: 1, last }, ALL_LIMIT)
    for (const { content } of page) contents.add(content)
    last = page.length < ALL_LIMIT ? 0 : page.at(-1)!.content - 1
  }
  return contents
}
