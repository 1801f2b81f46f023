/**
 * Wires concrete things, which nothing but this and the files in `server/` does: opens the rooms in the order in which they need each other, starts the listeners
 * last, and stops everything in the opposite order.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
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
import { sealingFrom } from '#custody/accounts/sealing.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { openKeyring } from '#custody/keyring/vault-keyring.ts'
import { createStorePool } from '#custody/store/store-pool.ts'
import type { Address } from '#formats/message/address.ts'
import { openCertificateFiles } from '#lib/certificate-files.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { createLogger } from '#lib/log.ts'
import { createMetrics } from '#lib/metrics.ts'
import { once } from '#lib/once.ts'
import { createResolver } from '#policy/dns/dns-client.ts'
import type { DiscovererSource } from '#privacy/discovery/discovery.ts'
import { createLookAhead } from '#privacy/discovery/look-ahead.ts'
import { acceptedSource, discovererSource } from '#privacy/discovery/sources.ts'
import { createAids } from '#privacy/e2e/aids.ts'
import { createAdminServer } from '#servers/admin/admin.ts'
import { createHkpServer } from '#servers/hkp/hkp-server.ts'
import { createImapServer } from '#servers/imap/imap-server.ts'
import { createPop3Server } from '#servers/pop3/pop3-server.ts'
import { MemoryBudget } from '#servers/smtp/memory-budget.ts'
import { createSmtpServer, type SmtpServerOptions } from '#servers/smtp/server.ts'
import { createSessionDesk } from '#session/session-desk.ts'
import type { Foundation } from './server/foundation.ts'
import { bind, control, health } from './server/operation.ts'
import { type Outside, openAccepted, openDiscoverer, openPickup, plannerOf, scannerOf } from './server/when-needed.ts'

export interface RunningServer {
  /** The ports that are listened on, by their name in the configuration. */
  readonly ports: Readonly<Record<string, number>>
  /** Looks at the certificate files again. */
  reload(): void
  /** Finishes what is under way, for up to STOP_GRACE_MS, and closes everything. */
  stop(): Promise<void>
}

const STOP_GRACE_MS = 10_000

/** A master certificate that is not the pinned one must not take anybody's consent. Throws EscrowRefused. */
async function checkEscrow({ escrow }: LoadedConfig): Promise<void> {
  if (escrow.certificate !== '') await (await import('#custody/escrow/policy.ts')).readPolicy(escrow, clock.now())
}

async function openFoundation(config: LoadedConfig, closing: AsyncDisposableStack): Promise<Foundation> {
  await checkEscrow(config)
  const logger = createLogger(config.log)
  const metrics = createMetrics()
  const certificates = openCertificateFiles(config.tls, clock, logger)
  const audit = openAuditLog({ dataDir: config.data, clock })
  const directory = closing.use(await openDirectory(join(config.data, 'directory.db')))
  const keyring = closing.use(
    await openKeyring({
      dataDir: config.data,
      directory,
      audit,
      clock,
      logger,
      metrics,
      graceMs: config.sessions.grace,
      idleMs: config.sessions.idle,
      vault: { uid: config.sessions.vaultUid },
    }),
  )
  const store = closing.use(
    createStorePool({
      dataDir: config.data,
      workers: config.store.workers || Math.max(1, availableParallelism() - 1),
      sealing: sealingFrom(directory),
      indexesTexts: config.search.index,
      clock,
      logger,
    }),
  )
  const domains = await directory.domains()
  const { hostname } = config
  const home =
    domains.find((domain) => hostname === domain) ??
    domains.find((domain) => hostname.endsWith(`.${domain}`)) ??
    domains[0] ??
    hostname
  const postmaster: Address = { local: 'postmaster', domain: home }
  const scanner = scannerOf(config, logger, metrics)
  return { config, logger, metrics, certificates, audit, directory, keyring, store, postmaster, scanner }
}

function smarthostOf({ relay }: LoadedConfig): Smarthost | undefined {
  if (relay.smarthost === '') return undefined
  const [, host = '', port = '25'] = /^(.*?)(?::(\d+))?$/.exec(relay.smarthost) ?? []
  const login = relay.user === '' ? {} : { user: relay.user, passwordFile: relay.passwordFile }
  return { host, port: Number(port), tls: relay.tls, ...login }
}

async function openAgents(foundation: Foundation, notices: Notices, closing: AsyncDisposableStack) {
  const { config, logger, metrics, directory, store } = foundation
  const ca = config.tls.trust.map((file) => readFileSync(file, 'utf8'))
  const resolver = createResolver({ ...config.dns, ca, clock })
  const outside: Outside = { resolver, ca, accepted: closing.use(acceptedSource(() => openAccepted(foundation))) }
  // Whoever needs certificates of others is given this, and it is closed after them.
  const discovery: DiscovererSource = closing.use(discovererSource(() => openDiscoverer(foundation, outside)))
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

function createServers(
  foundation: Foundation,
  agents: Awaited<ReturnType<typeof openAgents>>,
): Record<string, Listener> {
  const { config, logger, metrics, certificates, keyring, directory, store, postmaster } = foundation
  const { limits } = config
  const desk = createSessionDesk({
    directory,
    keyring,
    store,
    submission: agents.submission,
    aid: createAids({ ...foundation, discovery: agents.discovery, authservId: config.hostname, clock }),
    logger,
    metrics,
    failedLogins: limits.failedLogins,
    now: clock.now,
    clock,
  })
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
  const imap = (implicitTls: boolean) =>
    createImapServer({
      implicitTls,
      tls: certificates.current,
      desk,
      limits: { ...connectionLimits, appendMemory: limits.memory },
      clock,
      logger,
      metrics,
    })
  const pop3 = (implicitTls: boolean) =>
    createPop3Server({
      implicitTls,
      tls: certificates.current,
      desk,
      limits: connectionLimits,
      clock,
      logger,
      metrics,
    })
  return {
    smtp: smtp({ role: 'mx', agent: agents.inbound }, false),
    lmtp: smtp({ role: 'lmtp', agent: agents.inbound }, false),
    submissions: smtp({ role: 'submission', desk }, true),
    submission: smtp({ role: 'submission', desk }, false),
    imaps: imap(true),
    imap: imap(false),
    pop3s: pop3(true),
    pop3: pop3(false),
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

/** Opens the data and listens. When it fails, everything that was opened is closed again. */
export async function startServer(config: LoadedConfig): Promise<RunningServer> {
  await using closing = new AsyncDisposableStack()
  const foundation = await openFoundation(config, closing)
  const notices = createNotices({ ...foundation, hostname: config.hostname, clock })
  const agents = await openAgents(foundation, notices, closing)
  const servers = createServers(foundation, agents)
  const ports: Record<string, number> = {}
  const admin = createAdminServer({
    metrics: foundation.metrics,
    health: () => health(foundation, agents.queue, ports),
    control: (path) => control(path, foundation, agents.queue),
  })
  closing.defer(() => admin.stop())
  closing.defer(async () => {
    await Promise.all([
      ...Object.values(servers).map((one) => one.stop(STOP_GRACE_MS)),
      agents.queue.stop(STOP_GRACE_MS),
    ])
  })
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
    reload: () => foundation.certificates.reload(),
    async stop() {
      foundation.logger.info({}, 'stopping')
      await open.disposeAsync()
    },
  }
}
