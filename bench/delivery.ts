/**
 * Messages per second from the first octet until an IMAP client that is logged in sees them, with everything synced to the disk.
 *
 * 10 connections, 20 accounts, one corpus for both. Peer: Postfix -> LMTP -> Dovecot with mail_crypt, per-user P-256 keys locked by the
 * password, `mail_fsync=always`. Ours: straight to the MX port. CPU is that of all server processes, from /proc (processes.ts).
 * `--messages=N` and `--runs=N` change the amount of work, `--only=peer|ours` measures one side alone, `--peer=plain` compares with a
 * Dovecot that encrypts nothing.
 */
import { join } from 'node:path'
import { cpuMs } from '../test/support/processes.ts'
import { Reader } from '../test/support/reader.ts'
import { corpus, corpusIndex } from './corpus.ts'
import { type Loader, startLoader } from './driver/loader.ts'
import { benchAccounts, type MailServer, startOurs, startPeer } from './driver/mail-server.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const connections = 10
const accounts = benchAccounts(20)

const styles = [
  { style: 'persistent', label: 'persistent connections', share: 1, target: 4 },
  { style: 'starttls', label: 'own STARTTLS connection', share: 0.5, target: 2 },
] as const

type Style = (typeof styles)[number]['style']

interface Measurement {
  /** Messages per second until the last was acknowledged, and until the last was seen by its reader. */
  readonly acknowledged: number
  readonly readable: number
  /** Milliseconds per message, over all processes of the server. */
  readonly serverCpu: number
  readonly driverCpu: number
}

interface Contestant {
  readonly server: MailServer
  readonly readers: readonly Reader[]
}

/** Logs every account in, as its owner would be whose mail client is open. */
async function enter(stack: AsyncDisposableStack, server: MailServer): Promise<Contestant> {
  const readers: Reader[] = []
  for (const { address, password } of accounts) {
    readers.push(stack.use(await Reader.login({ ...server.imaps, user: address, password })))
  }
  return { server, readers }
}

/** Waits until every reader sees what was sent to it; only those who wait for something ask. */
async function allReadable(readers: readonly Reader[], expected: readonly number[]): Promise<void> {
  let waiting = readers.map((reader, index) => ({ reader, expected: expected[index]! }))
  while (waiting.length > 0) {
    const counts = await Promise.all(waiting.map(({ reader }) => reader.count()))
    waiting = waiting.filter((one, index) => counts[index]! < one.expected)
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function measure(loader: Loader, one: Contestant, style: Style, messages: number): Promise<Measurement> {
  const before = await Promise.all(one.readers.map((reader) => reader.count()))
  const expected = before.map((count, index) => count + Math.ceil((messages - index) / one.readers.length))
  const cpuBefore = cpuMs(one.server.roots)
  const recipients = accounts.map((account) => account.address)
  const done = await loader.run({ ...one.server.smtp, connections, messages, recipients, style })
  await allReadable(one.readers, expected)
  const seen = performance.timeOrigin + performance.now()
  const after = await Promise.all(one.readers.map((reader) => reader.count()))
  if (after.some((count, index) => count !== expected[index])) throw new Error('messages were duplicated')
  return {
    acknowledged: (messages * 1000) / (done.finished - done.started),
    readable: (messages * 1000) / (seen - done.started),
    serverCpu: (cpuMs(one.server.roots) - cpuBefore) / messages,
    driverCpu: done.cpuMs / messages,
  }
}

/** What was counted must also be there: some messages of some accounts, octet for octet after the trace fields. */
async function checkContents(one: Contestant): Promise<void> {
  const sent = corpus()
  for (const reader of one.readers.slice(0, 4)) {
    const count = await reader.count()
    for (const message of await reader.fetch(`1,${count >> 1},${count}`)) {
      const index = corpusIndex(message)
      const original = index === null ? undefined : sent[index]
      if (original === undefined || !message.subarray(message.length - original.length).equals(original)) {
        throw new Error(`${one.server.name} changed message ${index}`)
      }
    }
  }
}

function tell(report: Reporter, name: string, style: Style, one: Measurement): void {
  const rates = `${one.acknowledged.toFixed(0)} acknowledged/s, ${one.readable.toFixed(0)} readable/s`
  report.note(
    `  ${style.padEnd(10)} ${name}: ${rates}, ${one.serverCpu.toFixed(2)} CPU ms each (driver ${one.driverCpu.toFixed(2)})`,
  )
}

interface Results {
  readonly name: string
  readonly runs: readonly Measurement[]
}

function compare(report: Reporter, style: { label: string; target: number }, ours: Results, peer: Results): void {
  const { label, target } = style
  const rows = [
    { key: 'readable', figure: 'readable', unit: 'messages/s', better: 'higher', target },
    { key: 'acknowledged', figure: 'acknowledged', unit: 'messages/s', better: 'higher' },
    { key: 'serverCpu', figure: 'server CPU', unit: 'ms/message', better: 'lower' },
  ] as const
  for (const { key, ...row } of rows) {
    const middle = ({ runs }: Results) => median(runs.map((one) => one[key]))
    report.figure({
      ...row,
      figure: `${row.figure}, ${label}`,
      ours: middle(ours),
      peer: middle(peer),
      peerName: peer.name,
    })
  }
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const messages = Number(options.get('messages') ?? 2000)
  const runs = Number(options.get('runs') ?? 3)
  const only = options.get('only')
  await using directory = await workDirectory('delivery')
  if (!directory.durable) report.note('This directory is memory: syncing costs nothing here, the figures say little.')
  await using stack = new AsyncDisposableStack()
  const loader = stack.use(await startLoader())
  const contestants: Contestant[] = []
  const sides = {
    peer: () => startPeer(join(directory.path, 'peer'), accounts, options.get('peer') !== 'plain'),
    ours: () => startOurs(join(directory.path, 'ours'), accounts),
  }
  for (const [side, start] of Object.entries(sides)) {
    if (only !== undefined && only !== side) continue
    report.note(`starting ${side}, ${accounts.length} accounts`)
    contestants.push(await enter(stack, stack.use(await start())))
  }
  for (const { style, label, share, target } of styles) {
    const amount = Math.round(messages * share)
    const results = contestants.map(({ server }) => ({ name: server.name, runs: [] as Measurement[] }))
    for (const one of contestants) await measure(loader, one, style, Math.round(amount / 4))
    for (let round = 0; round < runs; round++) {
      for (const [side, one] of contestants.entries()) {
        const measured = await measure(loader, one, style, amount)
        results[side]!.runs.push(measured)
        tell(report, one.server.name, style, measured)
      }
    }
    const [peer, ours] = results
    if (peer !== undefined && ours !== undefined) compare(report, { label, target }, ours, peer)
  }
  for (const one of contestants) await checkContents(one)
}

export const bench: Benchmark = {
  name: 'delivery',
  about: 'messages delivered per second until they can be read, sealed and synced to the disk',
  run,
}
