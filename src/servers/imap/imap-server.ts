/**
 * The IMAP server: IMAP4rev1 (RFC 3501), and IMAP4rev2 (RFC 9051) for clients that enable it, over TLS and STARTTLS. What any mail client
 * opens to read its mail, in the main process or in a front (server/fronts.ts).
 *
 * A connection (connection.ts) reads one command after the other, checks that it fits the state and hands it to its file
 * under commands/. What a person may do comes from the session desk alone; this room knows no key and no password longer
 * than the login takes. The selected mailbox (selected.ts) is the client's own picture of it, kept in step with the store.
 *
 * Promises: message sequence numbers are always those the client knows; content goes out octet by octet as it came in, but for NUL;
 * commands run in order, and nothing is read while answers are unsent; nothing is advertised that is not complete. It must
 * never log mail content or a credential, and never accept a password without TLS.
 *
 * RFCs: 3501 and 9051, 5530 (response codes), 2180 (mailboxes that several clients change), 8314 (TLS), and those of the
 * extensions, each of which has its row in capabilities.ts.
 */
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { Settling } from '#lib/settling.ts'
import { LineServer } from '#servers/line/line-server.ts'
import type { SessionDesk } from '#session/session.ts'
import { Connection } from './connection.ts'
import type { ServerContext } from './context.ts'
import { KeptContents } from './fetch/kept-contents.ts'
import { defaultImapLimits, type ImapLimits } from './limits.ts'
import { MailboxImages } from './mailbox-image.ts'
import { MemoryShares, ReceivingMemory } from './memory-shares.ts'
import { RecentMarks } from './recent.ts'

export interface ImapServerOptions {
  /** Whether listeners speak TLS from the first octet on, unless `listen` says otherwise. */
  readonly implicitTls: boolean
  /** The certificate to use now; asked for every handshake, so that it can be renewed. */
  readonly tls: () => SecureContext
  readonly desk: SessionDesk
  readonly limits?: Partial<ImapLimits>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Collects what many logins and goodbyes have left. */
  readonly settling?: Pick<Settling, 'worked'>
}

export interface ImapServer {
  /** Returns the port, which is a free one when 0 is given. Several listeners of one server share its limits. */
  listen(host: string, port: number, implicitTls?: boolean): Promise<number>
  /** Serves a client that somebody else listened for; resolves when it is gone. Never rejects. */
  serve(socket: Socket): Promise<void>
  /** Takes no more clients, says BYE to all, and lets running commands finish for up to `graceMs` milliseconds. */
  stop(graceMs: number): Promise<void>
}

type Shared = Pick<ServerContext, 'recent' | 'images' | 'kept' | 'receiving' | 'fetching'>

/** What is \Recent, what sessions share of mailboxes, and the memory for messages are one thing for all servers that serve the same mail. */
const sharedAt = new WeakMap<SessionDesk, Shared>()

function createShared(limits: ImapLimits, now: number): Shared {
  return {
    recent: new RecentMarks(now),
    images: new MailboxImages(),
    kept: new KeptContents(limits.keptContents),
    receiving: new ReceivingMemory(limits.appendMemory, limits.appendMemoryPerAccount),
    fetching: new MemoryShares(limits.fetchMemoryPerAccount, limits.fetchMemory),
  }
}

export function createImapServer(options: ImapServerOptions): ImapServer {
  const { clock, desk } = options
  const limits: ImapLimits = { ...defaultImapLimits, ...options.limits }
  const shared = sharedAt.get(desk) ?? createShared(limits, clock.now())
  sharedAt.set(desk, shared)
  const context: ServerContext = { ...options, limits, ...shared }
  return new LineServer({
    ...options,
    protocol: 'imap',
    limits,
    refusal: '* BYE [UNAVAILABLE] Too many connections\r\n',
    connect: (...client) => new Connection(...client, context),
  })
}
