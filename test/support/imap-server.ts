/** An IMAP server on a free loopback port, with its test desk, for dialogs and real clients. */
import { createSecureContext } from 'node:tls'
import { type Clock, systemClock } from '#lib/clock.ts'
import { type Logger, silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createImapServer, type ImapServer } from '#servers/imap/imap-server.ts'
import type { ImapLimits } from '#servers/imap/limits.ts'
import { connectDialog, type Dialog } from './dialog.ts'
import { createTestDesk, type TestDesk } from './imap-desk.ts'
import { selfSigned } from './tls.ts'

const certificate = selfSigned('localhost', '127.0.0.1')
const context = createSecureContext(certificate)

export const PASSWORD = 'correct horse'
export const ALICE = 'alice@alpha.test'
export const BOB = 'bob@alpha.test'

export interface ImapFixture extends AsyncDisposable {
  readonly server: ImapServer
  readonly desk: TestDesk
  /** STARTTLS. */
  readonly port: number
  /** Implicit TLS. */
  readonly tlsPort: number
  /** PEM of the server's certificate. */
  readonly ca: string
  /** A connection over TLS, the greeting read. */
  connect(): Promise<Dialog>
  /** The same, logged in. */
  login(user?: string): Promise<Dialog>
}

export interface FixtureOptions {
  readonly limits?: Partial<ImapLimits>
  readonly clock?: Clock
  readonly logger?: Logger
}

export async function startImap({
  limits = {},
  clock = systemClock,
  logger = silentLogger,
}: FixtureOptions = {}): Promise<ImapFixture> {
  const desk = await createTestDesk({ [ALICE]: PASSWORD, [BOB]: 'tr0ub4dor "&\\3' }, () => clock.now())
  const server = createImapServer({
    implicitTls: false,
    tls: () => context,
    desk,
    limits,
    clock,
    logger,
    metrics: noMetrics,
  })
  const port = await server.listen('127.0.0.1', 0)
  const tlsPort = await server.listen('127.0.0.1', 0, true)
  const connect = async () => {
    const dialog = await connectDialog({ port: tlsPort, tls: true })
    await dialog.play('S: * OK [CAPABILITY …] …')
    return dialog
  }
  return {
    server,
    desk,
    port,
    tlsPort,
    ca: certificate.cert,
    connect,
    async login(user = ALICE) {
      const dialog = await connect()
      const password = user === ALICE ? PASSWORD : 'tr0ub4dor \\"&\\\\3'
      await dialog.play(`C: l LOGIN ${user} "${password}"\nS: l OK [CAPABILITY …] …`)
      return dialog
    },
    async [Symbol.asyncDispose]() {
      await server.stop(0)
      await desk[Symbol.asyncDispose]()
    },
  }
}
