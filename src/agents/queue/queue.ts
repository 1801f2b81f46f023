/**
 * The queue: mail that waits for another try, durable across restarts, and the schedule of tries.
 *
 * Every message in it is sealed under its own key, which is itself sealed under the queue key; deleting the row makes what
 * is left on the disk unreadable. Its envelope is in clear: it says where to go.
 */
import type { Envelope, EnvelopeRecipient } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'

/** The name of one message's journey through this server, in Received fields, logs and `queue list`. */
export type QueueId = string

export interface QueuedMail {
  readonly queueId: QueueId
  readonly envelope: Envelope
  /** Exact octets, CRLF line endings, trace fields in place. */
  readonly content: Bytes
  /** Milliseconds since the epoch. */
  readonly arrived: number
}

/** What became of one recipient in one try. */
export type Outcome =
  | {
      readonly kind: 'delivered'
      readonly by: Reply | null
      readonly remote: string | null /** The next hop takes over sending success DSNs. */
      readonly dsnRelayed: boolean
    }
  | { readonly kind: 'deferred'; readonly why: Reply; readonly remote: string | null }
  | { readonly kind: 'failed'; readonly why: Reply; readonly remote: string | null }

/** One way on: the local store, or another server. All recipients are of the one kind (and, for relay, of one domain). */
export interface DeliveryAgent {
  /** One outcome per recipient, in order. Never throws for what a mail can cause. */
  deliver(mail: QueuedMail, recipients: readonly EnvelopeRecipient[], signal: AbortSignal): Promise<readonly Outcome[]>
}

export interface QueueEntry {
  readonly queueId: QueueId
  readonly envelope: Envelope
  readonly size: number
  readonly arrived: number
  readonly recipients: readonly QueueEntryRecipient[]
}

export interface QueueEntryRecipient extends EnvelopeRecipient {
  readonly state: 'waiting' | 'trying'
  readonly tries: number
  readonly nextTry: number
  readonly lastReply: Reply | null
  readonly remote: string | null
}

export interface Queue extends AsyncDisposable {
  /** Durable when it resolves. The recipients are those of `mail.envelope`. */
  enqueue(mail: QueuedMail): Promise<void>
  /** Starts trying; until then mail is only taken. */
  start(): void
  /** Stops starting tries, waits for those under way up to `graceMs`, then cuts them. */
  stop(graceMs: number): Promise<void>
  entries(): Promise<readonly QueueEntry[]>
  entry(id: QueueId): Promise<QueueEntry | null>
  /** Tries again now: one message, or all. Answers how many recipients were concerned. */
  retry(id: QueueId | null): Promise<number>
  /** Gives the message up; with `bounce`, its sender is told. */
  drop(id: QueueId, bounce: boolean): Promise<boolean>
  /** Another process changed the queue: look now. */
  wake(): void
}
