/**
 * Opening a mailbox: SELECT with a connection that is there, login and SELECT, and single messages at random, at 10,000 and at 100,000
 * messages. Nothing of it may grow with the mailbox.
 *
 * The peer is Dovecot without encryption, over the same Maildir, its index warm; ours imports it. `--small=N --large=N` change the sizes,
 * `--rounds=N` how often each side has its turn.
 */
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { cpuMs } from '../test/support/processes.ts'
import type { Reader } from '../test/support/reader.ts'
import { type BenchAccount, benchAccounts } from './driver/mail-server.ts'
import { type ImapSide, login, type MaildirMessage, startOverMaildirs, timed } from './driver/over-maildirs.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median, percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const [small, large] = benchAccounts(2) as [BenchAccount, BenchAccount]

/** Small messages, most of them read, some with a keyword that Dovecot keeps as a letter. */
function* messages(count: number): Generator<MaildirMessage> {
  for (let number = 0; number < count; number++) {
    const lines = [
      `From: Author ${number % 50} <author${number % 50}@corpus.test>`,
      'To: Reader <reader@corpus.test>',
      `Subject: Message ${number}`,
      `Message-ID: <${number}@corpus.test>`,
      'Date: Sun, 22 Nov 2026 07:00:00 +0000',
      '',
      `This is message ${number}. ${'A line of text that says little. '.repeat(8)}`,
      '',
    ]
    const flags = number % 10 === 9 ? '' : number % 100 === 0 ? 'FS' : 'S'
    yield { octets: Buffer.from(lines.join('\n')), flags }
  }
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

async function measure(server: ImapSide, account: BenchAccount, messages: number, times: Times): Promise<void> {
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

/** Milliseconds that the first SELECT takes. */
async function enterFirst(report: Reporter, ours: ImapSide): Promise<number> {
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
  const mail = new Map([...counts].map(([account, count]) => [account, messages(count)]))
  await using servers = await startOverMaildirs(report, work.path, mail)
  const { ours, peer } = servers
  const first = await enterFirst(report, ours)
  const times = new Map<string, Times>()
  const timesOf = (server: ImapSide, account: BenchAccount) => {
    const key = `${server.name} ${account.address}`
    const found = times.get(key) ?? { select: [], enter: [], fetch: [] }
    times.set(key, found)
    return found
  }
  const cpu = new Map<ImapSide, number>()
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
async function untilQuiet(server: ImapSide): Promise<void> {
  for (let busy = true; busy; ) {
    const before = cpuMs([server.pid])
    await setTimeout(2000)
    busy = cpuMs([server.pid]) - before > 60
  }
}

interface Results {
  readonly counts: ReadonlyMap<BenchAccount, number>
  readonly first: number
  readonly ours: ImapSide
  readonly peer: ImapSide
  readonly timesOf: (server: ImapSide, account: BenchAccount) => Times
  readonly cpu: ReadonlyMap<ImapSide, number>
}

function tell(report: Reporter, { counts, first, ours, peer, timesOf, cpu }: Results): void {
  const peerName = peer.name
  const lower = { unit: 'ms', better: 'lower' } as const
  const figures = (figure: string, of: (server: ImapSide) => number, target?: number) => {
    report.figure({ figure, ours: of(ours), peer: of(peer), peerName, ...lower })
    if (target !== undefined) report.figure({ figure: `${figure}, absolute`, ours: of(ours), target, ...lower })
  }
  for (const [account, count] of counts) {
    figures(`SELECT p50 of ${count}`, (server) => median(timesOf(server, account).select), 2)
    figures(`login + SELECT p50 of ${count}`, (server) => median(timesOf(server, account).enter))
    figures(`random FETCH p50 of ${count}`, (server) => median(timesOf(server, account).fetch))
    figures(`random FETCH p99 of ${count}`, (server) => percentile(timesOf(server, account).fetch, 99), 10)
  }
  const grown = (server: ImapSide) => median(timesOf(server, large).enter) / median(timesOf(server, small).enter)
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
