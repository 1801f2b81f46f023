/**
 * The POP3 server (RFC 1939), over implicit TLS and STLS: for mail programs that fetch mail and keep it themselves.
 *
 * This file loads the rest with the first client: most providers have few or none. A connection (connection.ts)
 * reads one command after the other and hands it to its file under commands/. The maildrop (maildrop.ts) is INBOX as it was at login;
 * what a person may do comes from the session desk alone.
 *
 * Promises: a number means the same message for the whole session, whatever other clients do; content goes out octet by octet as
 * it came in; sizes are exact; only QUIT removes anything, and then all that was marked or nothing; one client has an account's
 * maildrop at a time; nothing is read while answers are unsent, and no more than one message is held. It must never accept a
 * password without TLS, or log mail content or a credential.
 *
 * RFCs: 1939, 2449 (CAPA and response codes), 2595 (STLS), 3206 (AUTH and SYS response codes), 5034 (AUTH), 6856 (UTF8), 8314 (TLS).
 */
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { type Claims, createClaims } from '#lib/claims.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { once } from '#lib/once.ts'
import type { Settling } from '#lib/settling.ts'
import { LineServer } from '#servers/line/line-server.ts'
import type { SessionDesk } from '#session/session.ts'
import type { ServerContext } from './context.ts'
import { KnownSizes } from './known-sizes.ts'
import { defaultPop3Limits, type Pop3Limits } from './limits.ts'

export interface Pop3ServerOptions {
  /** Whether listeners speak TLS from the first octet on, unless `listen` says otherwise. */
  readonly implicitTls: boolean
  /** The certificate to use now; asked for every handshake, so that it can be renewed. */
  readonly tls: () => SecureContext
  readonly desk: SessionDesk
  readonly limits?: Partial<Pop3Limits>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Collects what many logins and goodbyes have left. */
  readonly settling?: Pick<Settling, 'worked'>
  /** Where several processes serve the same maildrops, what they share. */
  readonly locks?: Claims
}

export interface Pop3Server {
  /** Returns the port, which is a free one when 0 is given. Several listeners of one server share its limits. */
  listen(host: string, port: number, implicitTls?: boolean): Promise<number>
  /** Serves a client that somebody else listened for; resolves when it is gone. Never rejects. */
  serve(socket: Socket): Promise<void>
  /** Takes no more clients, and lets running commands finish for up to `graceMs` milliseconds. Nobody is waited for. */
  stop(graceMs: number): Promise<void>
}

/** Who has a maildrop open, and what is known of them, is one thing for all servers that serve the same mail. */
type Shared = Pick<ServerContext, 'locks' | 'sizes'>
const sharedBy = new WeakMap<SessionDesk, Shared>()

export function createPop3Server(options: Pop3ServerOptions): Pop3Server {
  const { desk } = options
  const limits: Pop3Limits = { ...defaultPop3Limits, ...options.limits }
  const shared: Shared = sharedBy.get(desk) ?? {
    locks: options.locks ?? createClaims(),
    sizes: new KnownSizes(),
  }
  sharedBy.set(desk, shared)
  const context: ServerContext = { ...options, limits, ...shared }
  const load = once(() => import('./connection.ts'))
  return new LineServer({
    ...options,
    protocol: 'pop3',
    limits,
    refusal: '-ERR [SYS/TEMP] Too many connections\r\n',
    connect: async (...client) => new (await load()).Connection(...client, context),
  })
}
