/**
 * Clients that wait: sessions that are logged in, have INBOX selected and are in IDLE. What one of them costs in memory over all processes,
 * how long after the 250 of a delivery each is told, and what they cost while nothing happens.
 *
 * `--sessions=N` (2000), over `--accounts=N` (40), `--deliveries=N` (200), `--fronts=N` (0). The peer is Dovecot without encryption, awake
 * and with hibernation after five seconds, with fewer sessions, since each is a process of its own: `--peer-sessions=N` (100). Its login
 * processes, which do its TLS, serve many clients each, as its manual has it for many connections; the standard is one for each client.
 *
 * It hears of mail by inotify, one instance for each session, hibernated or not, and all sessions have one user: beyond the kernel's
 * limit of these (128) it looks every 30 seconds, which is no figure of a peer that is set up well. So it never has as many.
 */
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startDovecot } from '../test/support/peers/dovecot.ts'
import { cpuMs, memoryMB } from '../test/support/processes.ts'
import { type Provider, startProvider } from '../test/support/provider.ts'
import { type IdleDriver, startIdleDriver } from './driver/idle-driver.ts'
import { LOST_MS } from './driver/idle-sessions.ts'
import { type BenchAccount, benchAccounts } from './driver/mail-server.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median, percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

interface Server {
  readonly name: string
  readonly host: string
  readonly imaps: number
  readonly lmtp: number
  readonly pid: number
  readonly accounts: readonly BenchAccount[]
}

/** kB of a session. */
interface Measured {
  readonly rss: number
  /** Shared pages shared out: what compares one process with many. */
  readonly pss: number
  readonly latencies: readonly number[]
  /** CPU per second and thousand sessions, while nothing happens. */
  readonly idleCpu: number
}

/** What a start, or so many logins, leave behind is collected meanwhile; hibernation has begun. */
const SETTLE_MS = 8000
const QUIET_MS = 10_000
/** Instances of inotify that are left to whatever else the peer's user has. */
const SPARE_INSTANCES = 16

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function measure(
  report: Reporter,
  server: Server,
  driver: IdleDriver,
  { sessions, deliveries }: { readonly sessions: number; readonly deliveries: number },
): Promise<Measured> {
  const { host, accounts } = server
  await pause(SETTLE_MS)
  const before = memoryMB([server.pid])
  await driver.ask({ kind: 'open', host, port: server.imaps, sessions, accounts })
  await pause(SETTLE_MS)
  const after = memoryMB([server.pid])
  const cpuBefore = cpuMs([server.pid])
  await pause(QUIET_MS)
  const idleCpu = ((cpuMs([server.pid]) - cpuBefore) * 1000 * 1000) / QUIET_MS / sessions
  const latencies = await driver.ask({ kind: 'deliver', host, port: server.lmtp, deliveries })
  const settled = memoryMB([server.pid])
  await driver.ask({ kind: 'close' })
  report.note(
    `${server.name}, ${sessions} sessions: ${before.rss.toFixed(0)} MB before, ${after.rss.toFixed(0)} MB with them, ` +
      `${settled.rss.toFixed(0)} MB after ${deliveries} deliveries`,
  )
  const late = latencies.filter((ms) => ms === LOST_MS).length
  if (late > 0) report.note(`${server.name}: ${late} of ${latencies.length} times a session was not told within 15 s`)
  const grown = (of: 'rss' | 'pss') => ((after[of] - before[of]) * 1000) / sessions
  return { rss: grown('rss'), pss: grown('pss'), latencies, idleCpu }
}

/** Passwords of applications: a login with one costs no slow derivation. */
async function appPasswords(provider: Provider, accounts: readonly BenchAccount[]): Promise<BenchAccount[]> {
  const made: BenchAccount[] = []
  for (const { address, password } of accounts) {
    const args = ['app-password', 'add', address, '--label', 'idle', '--scope', 'imap', '--password-stdin']
    made.push({ address, ...(await provider.json<{ password: string }>(args, { input: `${password}\n` })) })
  }
  return made
}

async function measureOurs(report: Reporter, directory: string, options: ReadonlyMap<string, string>, wish: Wish) {
  const accounts = benchAccounts(wish.accounts)
  const settings = {
    'limits.connections': String(wish.sessions + 100),
    'limits.connectionsPerAddress': String(wish.sessions + 100),
    'front.processes': options.get('fronts') ?? '0',
  }
  await using provider = await startProvider({ directory, domain: 'bench.test', accounts, settings })
  const { host, ports, pid } = provider
  const ours = { name: 'Letterlock', host, imaps: ports.imaps, lmtp: ports.lmtp, pid }
  const server = { ...ours, accounts: await appPasswords(provider, accounts) }
  await using driver = await startIdleDriver()
  return await measure(report, server, driver, wish)
}

async function measureDovecot(report: Reporter, directory: string, hibernates: boolean, wish: Wish) {
  const accounts = benchAccounts(Math.min(wish.accounts, wish.sessions))
  const more = `
default_client_limit = 20000
default_process_limit = 10000
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 10000
}
service imap {
  process_limit = 10000
  ${hibernates ? 'unix_listener imap-master {\n    user = $default_internal_user\n  }\n  extra_groups = $default_internal_group' : ''}
}
${hibernates ? 'imap_hibernate_timeout = 5s\nservice imap-hibernate {\n  unix_listener imap-hibernate {\n    mode = 0666\n  }\n}' : ''}
`
  await mkdir(directory, { recursive: true })
  await using dovecot = await startDovecot({ directory, users: accounts, mailCrypt: false, more })
  const { host, imapsPort: imaps, lmtpPort: lmtp, pid } = dovecot
  await using driver = await startIdleDriver()
  const server = { name: hibernates ? 'Dovecot, hibernated' : 'Dovecot', host, imaps, lmtp, pid, accounts }
  return await measure(report, server, driver, wish)
}

/** How many sessions of the peer hear of mail at once. */
function mostPeerSessions(): number {
  try {
    return Math.max(0, Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8')) - SPARE_INSTANCES)
  } catch {
    return 0
  }
}

interface Wish {
  readonly sessions: number
  readonly accounts: number
  readonly deliveries: number
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const number = (name: string, standard: number) => Number(options.get(name) ?? standard)
  const wish = {
    sessions: number('sessions', 2000),
    accounts: number('accounts', 40),
    deliveries: number('deliveries', 200),
  }
  await using work = await workDirectory('imap-idle')
  const ours = await measureOurs(report, join(work.path, 'ours'), options, wish)
  const peerWish = { ...wish, sessions: Math.min(number('peer-sessions', 100), mostPeerSessions()) }
  const peers: Measured[] = []
  if (peerWish.sessions > 0)
    for (const hibernates of [false, true])
      peers.push(
        await measureDovecot(report, join(work.path, hibernates ? 'hibernating' : 'awake'), hibernates, peerWish),
      )
  const tell = (figure: string, unit: string, of: (measured: Measured) => number, target?: number) => {
    const shared = { unit, ours: of(ours), better: 'lower' } as const
    report.figure({ figure, ...shared, ...(target === undefined ? {} : { target }) })
    for (const [index, peer] of peers.entries())
      report.figure({ figure, ...shared, peer: of(peer), peerName: index === 0 ? 'Dovecot' : 'Dovecot, hibernated' })
  }
  tell('memory of a session, shared pages counted in each process', 'kB RSS', ({ rss }) => rss, 90)
  tell('memory of a session, shared pages shared out', 'kB PSS', ({ pss }) => pss)
  tell('from 250 to EXISTS, p50', 'ms', ({ latencies }) => median([...latencies]))
  tell('from 250 to EXISTS, p99', 'ms', ({ latencies }) => percentile([...latencies], 99), 50)
  tell('CPU of 1,000 sessions while nothing happens', 'ms/s', ({ idleCpu }) => idleCpu)
}

export const bench: Benchmark = {
  name: 'imap-idle',
  about: 'sessions that wait: memory, time to be told of a delivery, CPU, beside Dovecot',
  run,
}
