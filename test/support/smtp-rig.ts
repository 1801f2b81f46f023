/** An SMTP server with a fake agent and a fake desk behind it, for dialogs. */
import { createSecureContext } from 'node:tls'
import type { InboundAgent, Peer, ReceivedMail } from '#agents/inbound/inbound.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import { type Clock, systemClock } from '#lib/clock.ts'
import { createLogger, type Logger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import type { SmtpLimits } from '#servers/smtp/limits.ts'
import { createSmtpServer, type SmtpServer } from '#servers/smtp/server.ts'
import type { LoginAttempt, LoginResult, SessionDesk, UserSession } from '#session/session.ts'
import { connectDialog, type Dialog } from './dialog.ts'
import { scramDesk } from './scram.ts'
import { selfSigned } from './tls.ts'

export interface RigOptions {
  readonly role?: 'mx' | 'lmtp' | 'submission'
  readonly limits?: Partial<SmtpLimits>
  readonly implicitTls?: boolean
  readonly postmaster?: Address
  readonly clock?: Clock
  /** Replaces the fake agent's answers. */
  readonly receive?: (mail: ReceivedMail) => Promise<readonly Reply[]>
  readonly checkRecipient?: (recipient: Address, peer: Peer, size: number | null) => Promise<Reply | null>
}

export interface Rig extends AsyncDisposable {
  readonly server: SmtpServer
  readonly port: number
  /** PEM; good for 127.0.0.1 too. */
  readonly certificate: string
  /** What the agent, or the session, was given. */
  readonly received: Omit<ReceivedMail, 'mode'>[]
  /** Log lines, parsed. */
  readonly log: Record<string, unknown>[]
  readonly logins: { user: string; credential: string; buffer: Buffer }[]
  /** Ends every session. */
  endSessions(): void
  connect(localAddress?: string): Promise<Dialog>
  /** A connection that was greeted and said EHLO or LHLO, on submission within TLS. */
  greeted(): Promise<Dialog>
}

const certificate = selfSigned('mx.alpha.test', '127.0.0.1')

/** ann@alpha.test and bob@alpha.test exist; carl is over quota; every other local part of alpha.test is unknown. */
async function fakeCheck({ local, domain }: Address): Promise<Reply | null> {
  if (domain !== 'alpha.test' && domain !== 'mx.alpha.test') return reply(550, '5.7.1', 'Relaying denied')
  if (local === 'carl') return reply(452, '4.2.2', 'Mailbox is full')
  return ['ann', 'bob', 'böb', 'postmaster'].includes(local.toLowerCase())
    ? null
    : reply(550, '5.1.1', 'No such mailbox')
}

const queued = (mail: { queueId: string }) => reply(250, '2.0.0', `Queued as ${mail.queueId}`)

function fakeSession(user: string, received: Rig['received'], ended: AbortSignal): UserSession {
  const own = (address: Address | null) => address === null || formatAddress(address) === user
  const unused = () => {
    throw new Error('not for this server')
  }
  return {
    account: { address: user } as unknown as Account,
    mail: unused,
    summarize: unused,
    notices: [],
    changes: null as unknown as UserSession['changes'],
    checkSender: async (address) => (own(address) ? null : reply(553, '5.7.1', 'Not your address')),
    checkRecipient: async ({ domain }) => (domain === 'nowhere.test' ? reply(550, '5.1.2', 'No such domain') : null),
    submit: async (mail) => {
      received.push(mail)
      return queued(mail)
    },
    ended,
    async [Symbol.asyncDispose]() {},
  }
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { role = 'mx', implicitTls = false, clock = systemClock } = options
  const received: Rig['received'] = []
  const logins: Rig['logins'] = []
  const log: Record<string, unknown>[] = []
  const sessions = new AbortController()
  const logger: Logger = createLogger(
    { level: 'debug', addresses: true },
    { write: (line) => void log.push(JSON.parse(line)) },
  )
  const agent: InboundAgent = {
    checkRecipient: options.checkRecipient ?? fakeCheck,
    receive: async (mail) => {
      received.push(mail)
      return options.receive ? await options.receive(mail) : mail.envelope.recipients.map(() => queued(mail))
    },
  }
  const desk: SessionDesk = {
    offersScram: () => true,
    beginScram: ({ clientFirst }) =>
      scramDesk(
        clientFirst,
        (user) => (user === 'ann@alpha.test' ? 'correct horse' : null),
        (user) => ({ kind: 'welcome', session: fakeSession(user, received, sessions.signal) }),
      ),
    async login({ user, credential }: LoginAttempt): Promise<LoginResult> {
      logins.push({ user, credential: credential.toString(), buffer: credential })
      if (user === 'slow@alpha.test') return { kind: 'unavailable' }
      if (user === 'both@alpha.test') return { kind: 'passphrase' }
      if (user !== 'ann@alpha.test' || credential.toString() !== 'correct horse') return { kind: 'refused' }
      return { kind: 'welcome', session: fakeSession(user, received, sessions.signal) }
    },
  }
  let messages = 0
  const server = createSmtpServer({
    backend: role === 'submission' ? { role, desk } : { role, agent },
    hostname: 'mx.alpha.test',
    ...(options.postmaster ? { postmaster: options.postmaster } : {}),
    implicitTls,
    tls: () => createSecureContext(certificate),
    limits: { failedLoginDelayMs: 0, ...options.limits },
    clock,
    logger,
    metrics: noMetrics,
    newQueueId: () => `q${++messages}`,
  })
  const port = await server.listen('127.0.0.1', 0)
  const connect = (localAddress?: string) =>
    connectDialog({ port, ...(implicitTls ? { tls: true } : {}), ...(localAddress ? { localAddress } : {}) })
  return {
    server,
    port,
    certificate: certificate.cert,
    received,
    log,
    logins,
    endSessions: () => sessions.abort(),
    connect,
    async greeted() {
      const talk = await connect()
      await talk.play(`S: 220 …\nC: ${role === 'lmtp' ? 'LHLO' : 'EHLO'} client.test\nS: ...\nS: 250 …`)
      if (role === 'submission' && !implicitTls)
        await talk.play('C: STARTTLS\nS: 220 …\nTLS\nC: EHLO client.test\nS: ...\nS: 250 …')
      return talk
    },
    [Symbol.asyncDispose]: () => server.stop(0),
  }
}

/** Content of a received message as text, octet by octet. */
export const textOf = (mail: { content: Uint8Array } | undefined): string =>
  Buffer.from(mail?.content ?? []).toString('latin1')
