/** A POP3 server on free loopback ports, with its test desk, for dialogs and real clients. */
import { createSecureContext } from 'node:tls'
import { type Clock, systemClock } from '#lib/clock.ts'
import { type Logger, silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import type { Pop3Limits } from '#servers/pop3/limits.ts'
import { createPop3Server, type Pop3Server } from '#servers/pop3/pop3-server.ts'
import { connectDialog, type Dialog } from './dialog.ts'
import { createTestDesk, type TestDesk } from './imap-desk.ts'
import { selfSigned } from './tls.ts'

const certificate = selfSigned('localhost', '127.0.0.1')
const context = createSecureContext(certificate)

export const PASSWORD = 'correct horse'
export const ALICE = 'alice@alpha.test'
export const BOB = 'bob@alpha.test'

export interface Pop3Fixture extends AsyncDisposable {
  readonly server: Pop3Server
  readonly desk: TestDesk
  /** STLS. */
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
  readonly limits?: Partial<Pop3Limits>
  readonly clock?: Clock
  readonly logger?: Logger
}

export async function startPop3({
  limits = {},
  clock = systemClock,
  logger = silentLogger,
}: FixtureOptions = {}): Promise<Pop3Fixture> {
  const desk = await createTestDesk({ [ALICE]: PASSWORD, [BOB]: PASSWORD }, () => clock.now())
  const server = createPop3Server({
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
    await dialog.play('S: +OK Letterlock is ready')
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
      await dialog.play(`C: USER ${user}\nS: +OK …\nC: PASS ${PASSWORD}\nS: +OK Welcome`)
      return dialog
    },
    async [Symbol.asyncDispose]() {
      await server.stop(0)
      await desk[Symbol.asyncDispose]()
    },
  }
}
