/**
 * The queue: mail that waits for another try, durable across restarts, and the schedule of tries.
 *
 * What is enqueued is on the disk before anybody is told so, and stays there until every recipient has an outcome: delivered,
 * failed, or given up after days (RFC 5321 §4.5.4.1). Senders hear of it as they asked (RFC 3461, RFC 3464), in messages that
 * go through this same queue, written in the transaction that ends the recipient: never lost, never twice. The null
 * reverse-path is never answered (RFC 5321 §4.5.5), so reports cannot breed reports.
 *
 * Every message in it is sealed under its own key, which is itself sealed under the queue key; with the row, the key is
 * overwritten (secure_delete). Its envelope is in clear: it says where to go. Mail that waits for a certificate has what opens it
 * sealed beside it in the same way; its content is ciphertext already, and so is what its sender is told of it.
 *
 * A try that a crash cut short is tried again: the one window in which a recipient may get a message twice, and, for our own
 * mailboxes, closed by the store's delivery key. One dead domain never holds up another.
 */
import type { Address } from '#formats/message/address.ts'
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
  /** Return-Path and then `content`, in one piece of memory, where they were made together: saves delivery a copy. */
  readonly stored?: Bytes
  /**
   * `content` is sealed to nobody yet, because the certificate of its recipient could not be known; these octets (waiting.ts) open
   * it. Sealed in the file like the content, handed to delivery agents, and in no report, no log and no listing.
   */
  readonly waiting?: Bytes
}

/** What became of one recipient in one try. */
export type Outcome =
  | {
      readonly kind: 'delivered'
      readonly by: Reply | null
      readonly remote: string | null
      /** The next hop takes over sending success DSNs. */
      readonly dsnRelayed: boolean
    }
  | {
      readonly kind: 'deferred'
      readonly why: Reply
      readonly remote: string | null
      /** Nothing for this domain gets through now, so its other mail may wait as well. */
      readonly unreachable?: true
    }
  | { readonly kind: 'failed'; readonly why: Reply; readonly remote: string | null }

/** One way on: the local store, or another server. All recipients are of the one kind (and, for relay, of one domain). */
export interface DeliveryAgent {
  /** One outcome per recipient, in order. Never throws for what a mail can cause. */
  deliver(mail: QueuedMail, recipients: readonly EnvelopeRecipient[], signal: AbortSignal): Promise<readonly Outcome[]>
}

/** Our own mailboxes as a way on, which can say beforehand what it would say of a recipient. */
export interface LocalDelivery extends DeliveryAgent {
  /**
   * null: would be taken. Otherwise 550 5.1.1 (unknown), 550 5.1.2 (not ours), 550 5.2.1 (suspended), 452 4.2.2 (mailbox full),
   * 552 5.2.3 (a message of `size` octets never fits), 550 5.4.6 (an alias that leads nowhere).
   */
  check(recipient: Address, size: number | null): Promise<Reply | null>
}

export interface QueueEntry {
  readonly queueId: QueueId
  readonly envelope: Envelope
  readonly size: number
  readonly arrived: number
  readonly waitsForCertificate: boolean
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
  /** The same for several that belong together: all of them, or none. */
  enqueueAll(mails: readonly QueuedMail[]): Promise<void>
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
  /** Another process changed the queue: look now. Without being told it looks every half minute. */
  wake(): void
  /** Mail that never had to wait: tells its sender of success where that was asked for. The queue does it for its own mail. */
  reportDelivered(mail: QueuedMail, delivered: readonly EnvelopeRecipient[]): Promise<void>
}
