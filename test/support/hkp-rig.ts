/** The keyserver's front-end over a directory with real certificates, on a free loopback port, for dialogs. */
import { createSecureContext } from 'node:tls'
import { type Clock, systemClock } from '#lib/clock.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createKeyserver } from '#privacy/keyserver/keyserver.ts'
import { createHkpServer } from '#servers/hkp/hkp-server.ts'
import type { HkpLimits } from '#servers/hkp/limits.ts'
import { createAnswering } from '#servers/hkp/routes.ts'
import { connectDialog, type Dialog } from './dialog.ts'
import { createFakeLog, type FakeLog } from './fake-log.ts'
import { openPublishedHouse, type PublishedHouse } from './published.ts'
import { selfSigned } from './tls.ts'

const certificate = selfSigned('alpha.test', 'openpgpkey.alpha.test', '127.0.0.1')

export interface HkpRig extends AsyncDisposable {
  readonly house: PublishedHouse
  readonly port: number
  readonly log: FakeLog
  /** PEM */
  readonly ca: string
  connect(options?: { readonly tls?: boolean; readonly localAddress?: string }): Promise<Dialog>
  /** One request on a connection of its own, and the answer with its header fields by lower-case name. */
  ask(method: string, target: string, fields?: Readonly<Record<string, string>>): Promise<Asked>
  stop(graceMs: number): Promise<void>
}

export interface Asked {
  readonly status: number
  readonly fields: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** `clock`: of connections. */
export async function startHkp(limits: Partial<HkpLimits> = {}, clock: Clock = systemClock): Promise<HkpRig> {
  const house = await openPublishedHouse()
  const log = createFakeLog()
  const context = createSecureContext(certificate)
  const keyserver = createKeyserver({ directory: house.directory, clock: systemClock })
  const server = createHkpServer({
    answering: async () => createAnswering({ keyserver, now: systemClock.now }),
    tls: () => context,
    limits,
    clock,
    logger: log,
    metrics: noMetrics,
  })
  const port = await server.listen('127.0.0.1', 0)
  const connect: HkpRig['connect'] = (options = {}) => connectDialog({ port, tls: true, ...options })
  return {
    house,
    port,
    log,
    ca: certificate.cert,
    connect,
    async ask(method, target, fields = {}) {
      await using dialog = await connect()
      const lines = Object.entries({ host: 'alpha.test', connection: 'close', ...fields }).map((pair) =>
        pair.join(': '),
      )
      dialog.send([`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n'))
      const chunks: Buffer[] = []
      for await (const chunk of dialog.socket) chunks.push(chunk as Buffer)
      return readAnswer(Buffer.concat(chunks))
    },
    stop: (graceMs) => server.stop(graceMs),
    async [Symbol.asyncDispose]() {
      await server.stop(0)
      await house[Symbol.asyncDispose]()
    },
  }
}

function readAnswer(octets: Buffer): Asked {
  const end = octets.indexOf('\r\n\r\n')
  const [first = '', ...lines] = octets.toString('latin1', 0, end).split('\r\n')
  const fields = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ])
  return {
    status: Number(first.split(' ')[1]),
    fields: new Map(fields as [string, string][]),
    body: octets.subarray(end + 4),
  }
}
