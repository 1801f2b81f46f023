/** What fixtures of IMAP and POP3 share: two accounts of a test desk, a server over them on free loopback ports, and logins. */
import { createSecureContext, type SecureContext } from 'node:tls'
import { type Clock, systemClock } from '#lib/clock.ts'
import { type Logger, silentLogger } from '#lib/log.ts'
import { type Metrics, noMetrics } from '#lib/metrics.ts'
import { connectDialog, type Dialog } from './dialog.ts'
import { createTestDesk, type TestDesk } from './imap-desk.ts'
import { selfSigned } from './tls.ts'

const certificate = selfSigned('localhost', '127.0.0.1')
const context = createSecureContext(certificate)

export const PASSWORD = 'correct horse'
export const ALICE = 'alice@alpha.test'
export const BOB = 'bob@alpha.test'

interface LineServer {
  listen(host: string, port: number, implicitTls?: boolean): Promise<number>
  stop(graceMs: number): Promise<void>
}

export interface LineFixture<S> extends AsyncDisposable {
  readonly server: S
  readonly desk: TestDesk
  /** TLS begins by a command. */
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

export interface LineFixtureOptions<L> {
  readonly limits?: Partial<L>
  readonly clock?: Clock
  readonly logger?: Logger
}

interface ServerOptions<L> {
  readonly implicitTls: boolean
  readonly tls: () => SecureContext
  readonly desk: TestDesk
  readonly limits: Partial<L>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

interface Protocol {
  readonly passwordOfBob: string
  /** What the server says first. */
  readonly greeting: string
  /** A dialog. */
  readonly login: (user: string) => string
}

export async function startLineServer<S extends LineServer, L>(
  create: (options: ServerOptions<L>) => S,
  { passwordOfBob, greeting, login }: Protocol,
  { limits = {}, clock = systemClock, logger = silentLogger }: LineFixtureOptions<L>,
): Promise<LineFixture<S>> {
  const desk = await createTestDesk({ [ALICE]: PASSWORD, [BOB]: passwordOfBob }, () => clock.now())
  const tls = () => context
  const server = create({ implicitTls: false, tls, desk, limits, clock, logger, metrics: noMetrics })
  const port = await server.listen('127.0.0.1', 0)
  const tlsPort = await server.listen('127.0.0.1', 0, true)
  const connect = async () => {
    const dialog = await connectDialog({ port: tlsPort, tls: true })
    await dialog.play(`S: ${greeting}`)
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
      await dialog.play(login(user))
      return dialog
    },
    async [Symbol.asyncDispose]() {
      await server.stop(0)
      await desk[Symbol.asyncDispose]()
    },
  }
}
