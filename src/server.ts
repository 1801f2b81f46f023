import { join } from 'node:path'
import { createDeliveryAgent } from '#agents/delivery/delivery.ts'
import { createInboundAgent } from '#agents/inbound/mx-agent.ts'
import { createAuthorDesk } from '#agents/notices/author-desk.ts'
import { watchExpiry } from '#agents/notices/expiry-watch.ts'
import { createNotices, type Notices } from '#agents/notices/notices.ts'
import { openQueue } from '#agents/queue/durable-queue.ts'
import type { DeliveryAgent } from '#agents/queue/queue.ts'
import { createRelay, type Smarthost } from '#agents/relay/relay.ts'
import { createSealingAgent } from '#agents/sealing/sealing-agent.ts'
import { createSubmissionAgent } from '#agents/submission/submission-agent.ts'
import { controlSocket } from '#cli/control.ts'
import type { LoadedConfig } from '#config/load.ts'
import { domainKey } from '#custody/accounts/address-key.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { createLogger } from '#lib/log.ts'
import { once } from '#lib/once.ts'
import { createLookAhead } from '#privacy/discovery/look-ahead.ts'
import { createAdminServer } from '#servers/admin/admin.ts'
import { createHkpServer } from '#servers/hkp/hkp-server.ts'
import { MemoryBudget } from '#servers/smtp/memory-budget.ts'
import { createSmtpServer, type SmtpServerOptions } from '#servers/smtp/server.ts'
import type { Foundation } from './server/foundation.ts'
import type { Service } from './server/front-wire.ts'
import type { Fronts } from './server/fronts.ts'
import { openFoundation, openOutside } from './server/open-foundation.ts'
import { bind, control, health, metrics } from './server/operation.ts'
import { createDesk, createReaders } from './server/readers.ts'
import { openPickup, plannerOf } from './server/when-needed.ts'

export interface RunningServer {
  /** The ports that are listened on, by their name in the configuration. */
  readonly ports: Readonly<Record<string, number>>
  /** Looks at the certificate files again. */
  reload(): void
  /** Finishes what is under way, for up to STOP_GRACE_MS, and closes everything. */
  stop(): Promise<void>
}

const STOP_GRACE_MS = 10_000

function smarthostOf({ relay }: LoadedConfig): Smarthost | undefined {
  if (relay.smarthost === '') return undefined
  const [, host = '', port = '25'] = /^(.*?)(?::(\d+))?$/.exec(relay.smarthost) ?? []
  const login = relay.user === '' ? {} : { user: relay.user, passwordFile: relay.passwordFile }
  return { host, port: Number(port), tls: relay.tls, ...login }
}

async function openAgents(foundation: Foundation, notices: Notices, closing: AsyncDisposableStack) {
  const { config, logger, metrics, directory, store } = foundation
  const { outside, discovery } = openOutside(foundation, closing)
  const { resolver, ca } = outside
  const relay = closing.use(
    createRelay({
      resolver,
      hostname: config.hostname,
      clock,
      logger,
      tls: { ca },
      smarthost: smarthostOf(config),
      ports: { smtp: config.relay.port },
      allowPrivate: config.relay.allowPrivate,
    }),
  )
  const author = createAuthorDesk(notices)
  const pickup = closing.use(openPickup(foundation, author))
  /** What waits for a certificate is sealed, or what its policy says, before it goes on. */
  const sealing = (next: DeliveryAgent) =>
    createSealingAgent({ next, discovery, pickup: pickup.store, author, clock, logger, metrics })
  const isLocal = async (domain: string) => (await directory.domains()).some((own) => domainKey(own) === domain)
  // The queue hands mail to the delivery agent, and delivery hands forwarded mail to the queue: one of the two is named first.
  const later: { delivery?: DeliveryAgent } = {}
  const local: DeliveryAgent = { deliver: (...mail) => later.delivery!.deliver(...mail) }
  const queue = closing.use(
    await openQueue({
      path: join(config.data, 'queue.db'),
      key: await loadKeyFile(config.store.queueKey),
      local: sealing(local),
      relay: sealing(relay),
      isLocal,
      hostname: config.hostname,
      clock,
      logger,
      metrics,
      schedule: { warnAfter: config.relay.warnAfter, giveUpAfter: config.relay.giveUpAfter },
    }),
  )
  const delivery = createDeliveryAgent({
    directory,
    store,
    queue,
    hostname: config.hostname,
    clock,
    logger,
    metrics,
    sealedMailFrom: createLookAhead(discovery, logger),
  })
  later.delivery = delivery
  const shared = { directory, store, delivery, queue, hostname: config.hostname, clock, logger, metrics }
  const inbound = createInboundAgent(shared)
  const submission = createSubmissionAgent({
    ...shared,
    planner: plannerOf(foundation, outside, discovery),
    sealer: once(() => import('#privacy/e2e/seal.ts')),
    pickup: pickup.store,
    author,
    savesSentCopy: config.submission.saveSent,
    recipientsPerHour: config.submission.recipientsPerHour,
  })
  return { queue, inbound, submission, discovery }
}

interface Listener {
  listen(host: string, port: number): Promise<number>
  stop(graceMs: number): Promise<void>
}

const receptions = (fronts: Fronts): Record<Service, Listener> => ({
  imaps: fronts.reception('imaps'),
  imap: fronts.reception('imap'),
  pop3s: fronts.reception('pop3s'),
  pop3: fronts.reception('pop3'),
})

function createServers(
  foundation: Foundation,
  agents: Awaited<ReturnType<typeof openAgents>>,
  fronts: Fronts | null,
): Record<string, Listener> {
  const { config, logger, metrics, certificates, directory, postmaster } = foundation
  const { limits } = config
  const { submission, discovery } = agents
  const desk = createDesk(foundation, { submission, discovery, brakes: fronts?.brakes ?? limits.failedLogins })
  const connectionLimits = {
    messageSize: limits.messageSize,
    connections: limits.connections,
    connectionsPerAddress: limits.connectionsPerAddress,
  }
  const memory = new MemoryBudget(limits.memory)
  const smtp = (backend: SmtpServerOptions['backend'], implicitTls: boolean) =>
    createSmtpServer({
      backend,
      implicitTls,
      hostname: config.hostname,
      postmaster,
      tls: certificates.current,
      limits: { ...connectionLimits, recipients: limits.recipients },
      memory,
      clock,
      logger,
      metrics,
      newQueueId: () => randomId(12),
    })
  return {
    smtp: smtp({ role: 'mx', agent: agents.inbound }, false),
    lmtp: smtp({ role: 'lmtp', agent: agents.inbound }, false),
    submissions: smtp({ role: 'submission', desk }, true),
    submission: smtp({ role: 'submission', desk }, false),
    ...(fronts ? receptions(fronts) : createReaders(foundation, { desk })),
    https: createHkpServer({
      answering: async () => {
        const [{ createKeyserver }, { createAnswering }] = await Promise.all([
          import('#privacy/keyserver/keyserver.ts'),
          import('#servers/hkp/routes.ts'),
        ])
        return createAnswering({ keyserver: createKeyserver({ directory, clock }), now: clock.now })
      },
      tls: certificates.current,
      limits: {
        connections: limits.connections,
        connectionsPerAddress: limits.connectionsPerAddress,
        lookups: limits.lookups,
      },
      clock,
      logger,
      metrics,
    }),
  }
}

/** null: this process serves everything. */
async function createFronts(config: LoadedConfig): Promise<Fronts | null> {
  if (config.front.processes === 0) return null
  const { Fronts } = await import('./server/fronts.ts')
  return new Fronts({ config, clock, logger: createLogger(config.log) })
}

/** Opens the data and listens. When it fails, everything that was opened is closed again. */
export async function startServer(config: LoadedConfig): Promise<RunningServer> {
  await using closing = new AsyncDisposableStack()
  const fronts = await createFronts(config)
  const foundation = await openFoundation(config, closing, fronts ? { sharing: fronts.sharing } : {})
  const notices = createNotices({ ...foundation, hostname: config.hostname, clock })
  const agents = await openAgents(foundation, notices, closing)
  const servers = createServers(foundation, agents, fronts)
  const ports: Record<string, number> = {}
  const running = { foundation, queue: agents.queue, fronts }
  const admin = createAdminServer({
    metrics: () => metrics(running),
    health: () => health(running, ports),
    control: (path) => control(path, running),
  })
  closing.defer(() => admin.stop())
  closing.defer(async () => {
    await Promise.all([
      ...Object.values(servers).map((one) => one.stop(STOP_GRACE_MS)),
      agents.queue.stop(STOP_GRACE_MS),
      fronts?.stop(STOP_GRACE_MS),
    ])
  })
  await fronts?.start(foundation.store)
  for (const [name, server] of Object.entries(servers)) {
    const port = config.ports[name as keyof typeof config.ports]
    if (port !== 0) ports[name] = await bind(name, config.bind, port, () => server.listen(config.bind, port))
  }
  const adminPort = config.ports.admin
  if (adminPort !== 0) ports['admin'] = await bind('admin', '127.0.0.1', adminPort, () => admin.listen(adminPort))
  await admin.listenControl(controlSocket(config.data))
  agents.queue.start()
  closing.use(watchExpiry({ ...foundation, notices, clock }))
  foundation.logger.info({ hostname: config.hostname, bind: config.bind, ports }, 'ready')
  const open = closing.move()
  return {
    ports,
    reload: () => void control('/certificates/reload', running),
    async stop() {
      foundation.logger.info({}, 'stopping')
      await open.disposeAsync()
    },
  }
}
