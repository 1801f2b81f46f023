/**
 * Opening a mailbox: SELECT with a connection that is there, login and SELECT, and single messages at random, at 10,000 and at 100,000
 * messages. Nothing of it may grow with the mailbox.
 *
 * The peer is Dovecot without encryption, over the same Maildir, its index warm; ours imports it. `--small=N --large=N` change the sizes,
 * `--rounds=N` how often each side has its turn.
 */
import { randomInt } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { startDovecot } from '../test/support/peers/dovecot.ts'
import { run as runCommand } from '../test/support/peers/run.ts'
import { cpuMs } from '../test/support/processes.ts'
import { type Provider, startProvider } from '../test/support/provider.ts'
import { Reader } from '../test/support/reader.ts'
import { benchAccounts } from './driver/mail-server.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median, percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const [small, large] = benchAccounts(2) as [Account, Account]
type Account = ReturnType<typeof benchAccounts>[number]

interface Server {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly pid: number
}

/** Files of one folder are slow to make one by one, and fast enough some hundred at a time. */
const AT_ONCE = 256

/** Small messages, most of them read, some with a keyword that Dovecot keeps as a letter. */
async function writeMaildir(path: string, messages: number): Promise<void> {
  for (const name of ['cur', 'new', 'tmp']) await mkdir(join(path, name), { recursive: true })
  const text = (number: number) =>
    [
      `From: Author ${number % 50} <author${number % 50}@corpus.test>`,
      'To: Reader <reader@corpus.test>',
      `Subject: Message ${number}`,
      `Message-ID: <${number}@corpus.test>`,
      'Date: Sun, 22 Nov 2026 07:00:00 +0000',
      '',
      `This is message ${number}. ${'A line of text that says little. '.repeat(8)}`,
      '',
    ].join('\n')
  for (let start = 0; start < messages; start += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, messages - start) }, (_, index) => {
        const number = start + index
        const flags = number % 10 === 9 ? '' : number % 100 === 0 ? 'FS' : 'S'
        const name = `${1_700_000_000 + number}.M${number}P1.bench:2,${flags}`
        return writeFile(join(path, 'cur', name), text(number))
      }),
    )
}

const login = (server: Server, { address, password }: Account) =>
  Reader.login({ host: server.host, port: server.port, user: address, password })

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Milliseconds. */
interface Times {
  readonly select: number[]
  readonly enter: number[]
  readonly fetch: number[]
}

const SELECTS = 40
const LOGINS = 10
const FETCHES = 20

async function measure(server: Server, account: Account, messages: number, times: Times): Promise<void> {
  await using reader = await login(server, account)
  for (let turn = 0; turn < SELECTS; turn++) {
    times.select.push(await timed(() => reader.command('SELECT INBOX')))
    await reader.command('UNSELECT')
  }
  await reader.command('SELECT INBOX')
  for (let turn = 0; turn < FETCHES; turn++)
    times.fetch.push(await timed(() => reader.command(`UID FETCH ${randomInt(messages) + 1} (FLAGS BODY.PEEK[])`)))
  for (let turn = 0; turn < LOGINS; turn++) {
    let entered: Reader | null = null
    times.enter.push(
      await timed(async () => {
        entered = await login(server, account)
        await entered.command('SELECT INBOX')
      }),
    )
    await entered![Symbol.asyncDispose]()
  }
}

async function prepare(report: Reporter, provider: Provider, ours: Server, maildirs: readonly [Account, string][]) {
  for (const [{ address }, path] of maildirs) {
    const taken = await timed(() =>
      provider.command(['import', address, '--from', `maildir:${path}`], { timeoutMs: 3_600_000 }),
    )
    report.note(`imported into ${address} in ${(taken / 1000).toFixed(0)} s`)
  }
  const reader = await login(ours, large)
  const first = await timed(() => reader.command('SELECT INBOX'))
  report.note(`first SELECT of ${large.address}, whose summaries all wait: ${first.toFixed(2)} ms`)
  const listed = await timed(() => reader.command('FETCH 1:* (UID RFC822.SIZE)'))
  report.note(`first listing of it: ${(listed / 1000).toFixed(1)} s`)
  // Work for an account goes on while somebody is logged in to it.
  const other = await login(ours, small)
  report.note(`quiet after ${((await timed(() => untilQuiet(ours))) / 1000).toFixed(0)} s more`)
  await other[Symbol.asyncDispose]()
  await reader[Symbol.asyncDispose]()
  return first
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const counts = new Map([
    [small, Number(options.get('small') ?? 10_000)],
    [large, Number(options.get('large') ?? 100_000)],
  ])
  const rounds = Number(options.get('rounds') ?? 3)
  await using work = await workDirectory('imap-select')
  const at = (name: string) => join(work.path, name)
  await mkdir(at('dovecot'), { recursive: true })
  const users = [small, large]
  await using dovecot = await startDovecot({ directory: at('dovecot'), users, mailCrypt: false })
  const maildirs: [Account, string][] = []
  for (const [account, messages] of counts) {
    const path = join(dovecot.mail, account.address, 'Maildir')
    await writeMaildir(path, messages)
    maildirs.push([account, path])
  }
  await using provider = await startProvider({ directory: at('ours'), domain: 'bench.test', accounts: users })
  const ours: Server = { name: 'Letterlock', host: provider.host, port: provider.ports.imaps, pid: provider.pid }
  const peer: Server = { name: 'Dovecot', host: dovecot.host, port: dovecot.imapsPort, pid: dovecot.pid }
  const first = await prepare(report, provider, ours, maildirs)
  await runCommand('chown', ['-R', 'nobody:nogroup', dovecot.mail])
  const times = new Map<string, Times>()
  const timesOf = (server: Server, account: Account) => {
    const key = `${server.name} ${account.address}`
    const found = times.get(key) ?? { select: [], enter: [], fetch: [] }
    times.set(key, found)
    return found
  }
  const cpu = new Map<Server, number>()
  for (let round = -1; round < rounds; round++)
    for (const server of [ours, peer]) {
      const before = cpuMs([server.pid])
      // The first round warms both sides and does not count.
      for (const [account, messages] of counts)
        await measure(
          server,
          account,
          messages,
          round < 0 ? { select: [], enter: [], fetch: [] } : timesOf(server, account),
        )
      if (round >= 0) cpu.set(server, (cpu.get(server) ?? 0) + cpuMs([server.pid]) - before)
    }
  tell(report, { counts, first, ours, peer, timesOf, cpu })
}

/** What goes on behind the scenes after a first login must be over: it is not what is measured. */
async function untilQuiet(server: Server): Promise<void> {
  for (let busy = true; busy; ) {
    const before = cpuMs([server.pid])
    await setTimeout(2000)
    busy = cpuMs([server.pid]) - before > 60
  }
}

interface Results {
  readonly counts: ReadonlyMap<Account, number>
  readonly first: number
  readonly ours: Server
  readonly peer: Server
  readonly timesOf: (server: Server, account: Account) => Times
  readonly cpu: ReadonlyMap<Server, number>
}

function tell(report: Reporter, { counts, first, ours, peer, timesOf, cpu }: Results): void {
  const peerName = peer.name
  const lower = { unit: 'ms', better: 'lower' } as const
  const figures = (figure: string, of: (server: Server) => number, target?: number) => {
    report.figure({ figure, ours: of(ours), peer: of(peer), peerName, ...lower })
    if (target !== undefined) report.figure({ figure: `${figure}, absolute`, ours: of(ours), target, ...lower })
  }
  for (const [account, count] of counts) {
    figures(`SELECT p50 of ${count}`, (server) => median(timesOf(server, account).select), 2)
    figures(`login + SELECT p50 of ${count}`, (server) => median(timesOf(server, account).enter))
    figures(`random FETCH p50 of ${count}`, (server) => median(timesOf(server, account).fetch))
    figures(`random FETCH p99 of ${count}`, (server) => percentile(timesOf(server, account).fetch, 99), 10)
  }
  const grown = (server: Server) => median(timesOf(server, large).enter) / median(timesOf(server, small).enter)
  report.figure({
    figure: 'login + SELECT, large to small',
    unit: 'times',
    better: 'lower',
    ours: grown(ours),
    target: 1.2,
  })
  report.figure({ figure: 'first SELECT, nothing folded', ...lower, ours: first, target: 2 })
  report.figure({ figure: 'CPU of all that', ...lower, ours: cpu.get(ours)!, peer: cpu.get(peer)!, peerName })
}

export const bench: Benchmark = {
  name: 'imap-select',
  about: 'opening mailboxes of 10,000 and 100,000 messages, beside unencrypted Dovecot',
  run,
}
