/**
 * SEARCH over one large mailbox: SUBJECT, BODY and TEXT for words that are common, rare or nowhere, for parts of words and for phrases,
 * with a warm index and right after login; how fast the index is made, and what it takes on the disk and in memory.
 *
 * The peer is Dovecot without encryption, over the same Maildir, its own index warm; ours imports it. `--messages=N` changes the amount of
 * work, `--rounds=N` how often each side has its turn, `--crypt=yes` adds Dovecot with mail_crypt, whose searches take minutes.
 */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startDovecot } from '../test/support/peers/dovecot.ts'
import { eventually } from '../test/support/peers/run.ts'
import { cpuMs, memoryMB } from '../test/support/processes.ts'
import type { Provider } from '../test/support/provider.ts'
import type { Reader } from '../test/support/reader.ts'
import { corpus } from './corpus.ts'
import { type BenchAccount, benchAccounts } from './driver/mail-server.ts'
import { type ImapSide, login, type MaildirMessage, startOverMaildirs, timed } from './driver/over-maildirs.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median, percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const [account] = benchAccounts(1) as [BenchAccount]

/** The corpus again and again, each message with a word of its own, nearly all with a phrase, a few with another. */
function* messages(count: number): Generator<Buffer> {
  const all = corpus()
  const mark = 'Content-Type: text/plain; charset=utf-8\r\n\r\n'
  for (let number = 0; number < count; number++) {
    const base = all[number % all.length]!
    const at = base.indexOf(mark) + mark.length
    const lines = [
      `This is number rare${number}word of the pile.`,
      ...(number % 20 === 0 ? [] : ['With kind regards to all of you']),
      ...(number % 97 === 0 ? ['and the quarterly harbour report is enclosed'] : []),
      '',
    ]
    yield Buffer.concat([base.subarray(0, at), Buffer.from(lines.join('\r\n')), base.subarray(at)])
  }
}

function* read(count: number): Generator<MaildirMessage> {
  for (const message of messages(count)) {
    const octets = Buffer.from(message.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
    yield { octets, flags: 'S' }
  }
}

const texts = {
  SUBJECT: ['letter', 'seal lock', 'ring', 'wind', 'nowhere', 'er s', 'post road'],
  BODY: [
    'letter',
    'rare4711word',
    'rare12',
    'kind regards',
    'quarterly harbour',
    'nowhere',
    'ring desk',
    'ou',
    'lock paper wax',
  ],
  TEXT: [
    'letter',
    'rare4711word',
    'author7@corpus',
    'subject: letter',
    'kind regards',
    'nowhere',
    'to a',
    'en',
    'market garden',
  ],
}
type Kind = keyof typeof texts
const kinds = Object.keys(texts) as Kind[]

type Times = Record<Kind, number[]>
const noTimes = (): Times => ({ SUBJECT: [], BODY: [], TEXT: [] })

/** How many messages each search found, so that both sides can be compared. */
async function searchAll(reader: Reader, times: Times): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const kind of kinds)
    for (const text of texts[kind]) {
      let answer = ''
      const work = async () => {
        answer = (await reader.command(`SEARCH ${kind} "${text}"`)).toString('latin1')
      }
      times[kind].push(await timed(work))
      found.set(`${kind} ${text}`, /^\* SEARCH(.*)\r$/m.exec(answer)![1]!.split(' ').filter(Boolean).length)
    }
  return found
}

function compare(ours: Map<string, number>, theirs: Map<string, number>): void {
  for (const [query, count] of ours)
    if (theirs.get(query) !== count) throw new Error(`${query}: ${count} found, and ${theirs.get(query)} by the peer`)
}

interface Built {
  readonly perCpuSecond: number
  readonly seconds: number
}

async function build(report: Reporter, provider: Provider, server: ImapSide, count: number): Promise<Built> {
  await using reader = await login(server, account)
  await reader.command('EXAMINE INBOX')
  const folded = await timed(() => reader.command('FETCH 1:* (RFC822.SIZE)'))
  report.note(`first listing: ${(folded / 1000).toFixed(1)} s`)
  const before = cpuMs([provider.pid])
  const started = performance.now()
  const indexed = async () => {
    const { indexing } = await provider.json<{ indexing: { indexed: number } }>(['account', 'show', account.address])
    return indexing.indexed === count
  }
  await eventually('all of it is indexed', indexed, 3_600_000)
  const cpu = cpuMs([provider.pid]) - before
  return { perCpuSecond: (count * 1000) / cpu, seconds: (performance.now() - started) / 1000 }
}

async function indexOctets(directory: string): Promise<number> {
  let octets = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.parentPath.endsWith('/search'))
      octets += (await stat(join(entry.parentPath, entry.name))).size
  return octets
}

/** Through IMAP, because mail_crypt encrypts what it saves. */
async function fillCrypt(server: Pick<ImapSide, 'host' | 'port'>, count: number): Promise<void> {
  await using reader = await login(server, account)
  for (const message of messages(count))
    await reader.command(`APPEND INBOX (\\Seen) {${message.length}+}\r\n${message.toString('latin1')}`)
}

async function searchCrypt(report: Reporter, directory: string, count: number): Promise<number> {
  await mkdir(directory)
  await using dovecot = await startDovecot({ directory, users: [account], mailCrypt: true })
  const server = { host: dovecot.host, port: dovecot.imapsPort }
  report.note(`appending ${count} messages to Dovecot with mail_crypt`)
  await fillCrypt(server, count)
  await using reader = await login(server, account)
  await reader.command('EXAMINE INBOX')
  return timed(() => reader.command('SEARCH BODY "rare4711word"'))
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const count = Number(options.get('messages') ?? 10_000)
  const rounds = Number(options.get('rounds') ?? 3)
  await using work = await workDirectory('imap-search')
  await using servers = await startOverMaildirs(report, work.path, new Map([[account, read(count)]]))
  const { ours, peer, provider, directory } = servers
  const built = await build(report, provider, ours, count)
  report.figure({ figure: 'indexed per CPU second', unit: 'messages', better: 'higher', ours: built.perCpuSecond })
  report.figure({ figure: 'until all is indexed', unit: 's', better: 'lower', ours: built.seconds })
  const octets = await indexOctets(directory)
  report.figure({ figure: 'index on the disk', unit: 'kB', better: 'lower', ours: octets / 1000 })
  await measure(report, { ours, peer, provider, rounds })
  if (options.get('crypt') === 'yes') {
    const ms = await searchCrypt(report, join(work.path, 'crypt'), count)
    report.note(`BODY with mail_crypt: ${(ms / 1000).toFixed(1)} s`)
  }
}

interface Sides {
  readonly ours: ImapSide
  readonly peer: ImapSide
  readonly provider: Provider
  readonly rounds: number
}

async function measure(report: Reporter, { ours, peer, provider, rounds }: Sides): Promise<void> {
  const lower = { unit: 'ms', better: 'lower' } as const
  const first: number[] = []
  for (let turn = 0; turn < rounds; turn++) {
    await using reader = await login(ours, account)
    await reader.command('EXAMINE INBOX')
    first.push(await timed(() => reader.command('SEARCH BODY "kind regards"')))
  }
  const before = memoryMB([provider.pid]).rss
  await using reader = await login(ours, account)
  await reader.command('EXAMINE INBOX')
  await using peerReader = await login(peer, account)
  await peerReader.command('EXAMINE INBOX')
  const [times, peerTimes] = [noTimes(), noTimes()]
  const warm = await searchAll(reader, noTimes())
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < 3; turn++) await searchAll(reader, times)
    compare(warm, await searchAll(peerReader, peerTimes))
  }
  report.figure({ figure: 'first search after login', ...lower, ours: median(first) })
  const grown = memoryMB([provider.pid]).rss - before
  report.figure({ figure: 'memory while searching, more by', unit: 'MB', better: 'lower', ours: grown })
  for (const kind of kinds) {
    const of = (part: number) => ({ ours: percentile(times[kind], part), peer: percentile(peerTimes[kind], part) })
    report.figure({ figure: `${kind} p50`, ...lower, ...of(50), peerName: peer.name })
    report.figure({ figure: `${kind} p95`, ...lower, ours: of(95).ours, target: 50 })
    const beside = { ...of(95), peerName: peer.name, ...(kind === 'BODY' ? { target: 50 } : {}) }
    report.figure({ figure: `${kind} p95 beside the peer`, ...lower, ...beside })
  }
}

export const bench: Benchmark = {
  name: 'imap-search',
  about: 'SEARCH by SUBJECT, BODY and TEXT over 10,000 messages, beside unencrypted Dovecot',
  run,
}
