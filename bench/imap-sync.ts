/**
 * A client that takes in a whole mailbox: the list of its messages for the first time after they were delivered, the list again in a new
 * session, and all contents, in one command and one command each. Over TLS, the same corpus everywhere, each server in its turn.
 *
 * Peers: Dovecot with mail_crypt, whose user keys on P-256 are locked by the password, and Dovecot that encrypts nothing. Each round
 * delivers to an account of its own. `--messages=N` and `--runs=N` change the amount of work, `--only=ours|crypt|plain` measures one
 * side alone. CPU is that of all processes of a server.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuMs, memoryMB } from '../test/support/processes.ts'
import { ImapLine } from './driver/imap-line.ts'
import { type Loader, startLoader } from './driver/loader.ts'
import { type BenchAccount, benchAccounts, type MailServer, startOurs, startPeer } from './driver/mail-server.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const LIST = 'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)'
/** Commands that a client sends before it waits for answers. */
const PIPELINED = 32

const phases = {
  first: 'list, first time after delivery',
  again: 'list, again',
  bodies: 'bodies, one command',
  each: 'bodies, one command each',
} as const
type Phase = keyof typeof phases

interface Taken {
  /** Messages per second. */
  readonly rate: number
  /** Milliseconds per message, of all processes of the server, and of this one. */
  readonly cpu: number
  readonly driver: number
}

type Round = Readonly<Record<Phase, Taken>>

interface Contestant {
  readonly server: MailServer
  readonly rounds: Round[]
  /** MB. */
  readonly rss: { before: number; most: number }
}

async function measured(server: MailServer, messages: number, work: () => Promise<void>): Promise<Taken> {
  const [cpu, own] = [cpuMs(server.roots), process.cpuUsage()]
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(own)
  return {
    rate: messages / seconds,
    cpu: (cpuMs(server.roots) - cpu) / messages,
    driver: (user + system) / 1000 / messages,
  }
}

const login = ({ imaps }: MailServer, { address, password }: BenchAccount) =>
  ImapLine.login({ ...imaps, user: address, password })

async function opened(server: MailServer, account: BenchAccount, messages: number): Promise<ImapLine> {
  const line = await login(server, account)
  const { exists } = await line.command('SELECT INBOX')
  if (exists !== messages) throw new Error(`${server.name}: ${exists} messages instead of ${messages}`)
  return line
}

/** Another queue may stand before the mailbox. Ours has none, and whoever looked would begin the work that is to be measured. */
async function delivered(server: MailServer, account: BenchAccount, messages: number): Promise<void> {
  for (;;) {
    await using line = await login(server, account)
    const { exists } = await line.command('EXAMINE INBOX')
    if (exists >= messages) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function list(line: ImapLine, messages: number): Promise<void> {
  const { fetched } = await line.command(LIST)
  if (fetched !== messages) throw new Error(`${fetched} messages were listed instead of ${messages}`)
}

async function bodies(line: ImapLine, messages: number): Promise<void> {
  const { literals } = await line.command('FETCH 1:* (UID BODY.PEEK[])')
  if (literals !== messages) throw new Error(`${literals} contents came instead of ${messages}`)
}

async function eachBody(line: ImapLine, messages: number): Promise<void> {
  for (let start = 1; start <= messages; start += PIPELINED) {
    const count = Math.min(PIPELINED, messages + 1 - start)
    const commands = Array.from({ length: count }, (_, index) => `UID FETCH ${start + index} (UID BODY.PEEK[])`)
    const { literals } = await line.pipeline(commands)
    if (literals !== count) throw new Error(`${literals} contents came instead of ${count}`)
  }
}

async function takeIn({ server, rss }: Contestant, account: BenchAccount, messages: number): Promise<Round> {
  const taken: Partial<Record<Phase, Taken>> = {}
  const work = { first: list, again: list, bodies, each: eachBody }
  for (const phase of Object.keys(phases) as Phase[]) {
    const line = await opened(server, account, messages)
    taken[phase] = await measured(server, messages, () => work[phase](line, messages))
    rss.most = Math.max(rss.most, memoryMB(server.roots).rss)
    await line[Symbol.asyncDispose]()
  }
  return taken as Round
}

async function round(contestant: Contestant, account: BenchAccount, messages: number, loader: Loader): Promise<Round> {
  const { server } = contestant
  await loader.run({ ...server.smtp, connections: 8, messages, recipients: [account.address], style: 'persistent' })
  if (server.name !== 'Letterlock') await delivered(server, account, messages)
  return takeIn(contestant, account, messages)
}

function tell(report: Reporter, name: string, taken: Round): void {
  for (const phase of Object.keys(phases) as Phase[]) {
    const { rate, cpu, driver } = taken[phase]
    report.note(
      `  ${name}: ${phases[phase]}: ${rate.toFixed(0)}/s, ${cpu.toFixed(3)} CPU ms each (driver ${driver.toFixed(3)})`,
    )
  }
}

interface Comparison {
  readonly phase: Phase
  readonly side: 'crypt' | 'plain'
  /** What of the peer; the same when left out. */
  readonly with?: Phase
  readonly target?: number
}

const comparisons: readonly Comparison[] = [
  { phase: 'first', side: 'crypt', target: 6 },
  { phase: 'first', side: 'plain' },
  { phase: 'again', side: 'plain', target: 0.3 },
  { phase: 'again', side: 'plain', with: 'first', target: 1.5 },
  { phase: 'bodies', side: 'crypt', target: 10 },
  { phase: 'bodies', side: 'plain', target: 0.8 },
  { phase: 'each', side: 'crypt', target: 10 },
  { phase: 'each', side: 'plain', target: 0.8 },
]

function compare(report: Reporter, ours: Contestant, peers: ReadonlyMap<string, Contestant>): void {
  const middle = ({ rounds }: Contestant, phase: Phase, key: keyof Taken) =>
    median(rounds.map((one) => one[phase][key]))
  for (const { phase, side, with: other = phase, target } of comparisons) {
    const peer = peers.get(side)
    if (!peer) continue
    const peerName = other === phase ? peer.server.name : `${peer.server.name}, ${phases[other]}`
    const promised = target === undefined ? {} : { target }
    report.figure({
      ...{ figure: phases[phase], unit: 'messages/s', better: 'higher', ...promised },
      ...{ ours: middle(ours, phase, 'rate'), peer: middle(peer, other, 'rate'), peerName },
    })
    report.figure({
      ...{ figure: `CPU, ${phases[phase]}`, unit: 'ms/message', better: 'lower' },
      ...{ ours: middle(ours, phase, 'cpu'), peer: middle(peer, other, 'cpu'), peerName },
    })
  }
}

const sides = {
  ours: startOurs,
  crypt: (path: string, accounts: readonly BenchAccount[]) => startPeer(path, accounts, true),
  plain: (path: string, accounts: readonly BenchAccount[]) => startPeer(path, accounts, false),
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const messages = Number(options.get('messages') ?? 10_000)
  const runs = Number(options.get('runs') ?? 3)
  const only = options.get('only')
  const accounts = benchAccounts(runs)
  await using directory = await workDirectory('imap-sync')
  await using stack = new AsyncDisposableStack()
  const loader = stack.use(await startLoader())
  const contestants = new Map<string, Contestant>()
  for (const [side, start] of Object.entries(sides)) {
    if (only !== undefined && only !== side) continue
    report.note(`starting ${side}`)
    const path = join(directory.path, side)
    await mkdir(path)
    const server = stack.use(await start(path, accounts))
    const before = memoryMB(server.roots).rss
    contestants.set(side, { server, rounds: [], rss: { before, most: before } })
  }
  for (const account of accounts)
    for (const contestant of contestants.values()) {
      const taken = await round(contestant, account, messages, loader)
      contestant.rounds.push(taken)
      tell(report, contestant.server.name, taken)
    }
  for (const { server, rss } of contestants.values())
    report.note(`${server.name}: ${rss.before.toFixed(0)} MB RSS at first, ${rss.most.toFixed(0)} MB at most`)
  const ours = contestants.get('ours')
  if (!ours) return
  compare(report, ours, contestants)
  const grown = ours.rss.most - ours.rss.before
  report.figure({ figure: 'memory while a mailbox is taken in', unit: 'MB RSS more', ours: grown, better: 'lower' })
}

export const bench: Benchmark = {
  name: 'imap-sync',
  about: 'messages listed and read per second by a client that takes in a whole mailbox',
  run,
}
