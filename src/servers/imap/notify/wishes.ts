/** What a client asked to be told of (RFC 5465), by mailbox. */
import type { MailboxName } from '#custody/store/mail-store.ts'
import type { NotifyGroup, NotifyMailboxes } from '#formats/imap/command.ts'
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { bad, no } from '../imap-error.ts'
import { DELIMITER } from '../mailbox-name.ts'

const MESSAGE_EVENTS = ['MessageNew', 'MessageExpunge', 'FlagChange'] as const
const OTHER_EVENTS = ['MailboxName', 'SubscriptionChange', 'MailboxMetadataChange', 'ServerMetadataChange'] as const

const EVENTS = [...MESSAGE_EVENTS, ...OTHER_EVENTS]
type Event = (typeof EVENTS)[number]

const BY_WORD = new Map<string, Event>(EVENTS.map((event) => [event.toUpperCase(), event]))

export interface SelectedWishes {
  /** MessageNew and MessageExpunge, which come together. */
  readonly messages: boolean
  readonly flags: boolean
  /** EXPUNGE may come at any time (RFC 5465 §6.1.1); otherwise when a command allows it (§6.1.2). */
  readonly atOnce: boolean
  /** To be told of each new message. */
  readonly items: readonly FetchItem[]
}

interface Group {
  readonly mailboxes: NotifyMailboxes
  readonly events: ReadonlySet<Event>
}

const NOTHING: ReadonlySet<Event> = new Set()
const SILENT: SelectedWishes = { messages: false, flags: false, atOnce: false, items: [] }

export class Wishes {
  readonly selected: SelectedWishes
  /** Of any other mailbox. */
  readonly names: boolean
  readonly server: boolean
  readonly #groups: readonly Group[]

  /** null: NOTIFY NONE. Throws BAD or NO for what makes no sense, or is not supported. */
  constructor(groups: readonly NotifyGroup[] | null) {
    const all = (groups ?? []).map((group) => ({ ...group, events: eventsOf(group) }))
    const selected = all.filter(({ mailboxes: { kind } }) => kind === 'selected' || kind === 'selectedDelayed')
    // RFC 5465 §6.1
    if (selected.length > 1) throw bad('SELECTED and SELECTED-DELAYED come once, and one of them')
    this.#groups = all.filter((group) => !selected.includes(group))
    const [one] = selected
    // RFC 5465 §3.1: not to name the selected mailbox is the same as SELECTED NONE.
    this.selected = one
      ? {
          messages: one.events.has('MessageNew'),
          flags: one.events.has('FlagChange'),
          atOnce: one.mailboxes.kind === 'selected',
          items: one.messageNew,
        }
      : SILENT
    const anyWants = (event: Event) => this.#groups.some(({ events }) => events.has(event))
    this.names = anyWants('MailboxName') || anyWants('SubscriptionChange')
    this.server = anyWants('ServerMetadataChange')
  }

  /** What NOTIFY NONE asks for. */
  none(): Wishes {
    return new Wishes(null)
  }

  /** Where several groups name a mailbox, the first counts. */
  of(name: MailboxName, subscribed: boolean): ReadonlySet<Event> {
    return this.#groups.find(({ mailboxes }) => isMeant(mailboxes, name, subscribed))?.events ?? NOTHING
  }
}

function isMeant(mailboxes: NotifyMailboxes, name: MailboxName, subscribed: boolean): boolean {
  switch (mailboxes.kind) {
    case 'subscribed':
      return subscribed
    case 'mailboxes':
      return mailboxes.names.includes(name)
    case 'subtree':
      return mailboxes.names.some((above) => name === above || name.startsWith(above + DELIMITER))
    default:
      // RFC 5465 §6.3: where mail may come to any mailbox, all of them are inboxes.
      return true
  }
}

function eventsOf({ mailboxes: { kind }, events: words }: NotifyGroup): ReadonlySet<Event> {
  const events = new Set<Event>()
  for (const word of words) {
    const event = BY_WORD.get(word)
    // RFC 5465 §3.1: not a BAD.
    if (!event) throw no(`BADEVENT (${EVENTS.join(' ')})`, 'There is no such event')
    events.add(event)
  }
  // RFC 5465 §5
  const isPaired = events.has('MessageNew') === events.has('MessageExpunge')
  if (!isPaired || (events.has('FlagChange') && !events.has('MessageNew')))
    throw bad('MessageNew and MessageExpunge come together, and with FlagChange')
  const ofSelected = kind === 'selected' || kind === 'selectedDelayed'
  // RFC 5465 §6.1
  if (ofSelected && OTHER_EVENTS.some((event) => events.has(event)))
    throw bad('Of the selected mailbox only messages are told')
  return events
}
