/**
 * Two servers with the same mail: Dovecot without encryption over Maildirs, and ours, which imports them. Their own caches and indexes
 * begin empty.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDovecot } from '../../test/support/peers/dovecot.ts'
import { run } from '../../test/support/peers/run.ts'
import { type Provider, startProvider } from '../../test/support/provider.ts'
import { Reader } from '../../test/support/reader.ts'
import type { Reporter } from '../reporter.ts'
import type { BenchAccount } from './mail-server.ts'

/** One of them, seen through its port and its process. */
export interface ImapSide {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly pid: number
}

export interface MaildirMessage {
  /** Lines end in LF. */
  readonly octets: Buffer
  /** Letters, in alphabetical order. */
  readonly flags: string
}

export interface OverMaildirs extends AsyncDisposable {
  readonly ours: ImapSide
  readonly peer: ImapSide
  readonly provider: Provider
  /** Data of ours. */
  readonly directory: string
}

/** Files of one folder are slow to make one by one, and fast enough some hundred at a time. */
const AT_ONCE = 256
const HOUR = 3_600_000

async function writeMaildir(path: string, messages: Iterable<MaildirMessage>): Promise<void> {
  for (const name of ['cur', 'new', 'tmp']) await mkdir(join(path, name), { recursive: true })
  let writing: Promise<void>[] = []
  let number = 0
  for (const { octets, flags } of messages) {
    const name = `${1_700_000_000 + number}.M${number}P1.bench:2,${flags}`
    writing.push(writeFile(join(path, 'cur', name), octets))
    number++
    if (writing.length < AT_ONCE) continue
    await Promise.all(writing)
    writing = []
  }
  await Promise.all(writing)
}

export async function startOverMaildirs(
  report: Reporter,
  directory: string,
  mail: ReadonlyMap<BenchAccount, Iterable<MaildirMessage>>,
): Promise<OverMaildirs> {
  const at = (name: string) => join(directory, name)
  await mkdir(at('dovecot'), { recursive: true })
  const accounts = [...mail.keys()]
  await using stack = new AsyncDisposableStack()
  const dovecot = stack.use(await startDovecot({ directory: at('dovecot'), users: accounts, mailCrypt: false }))
  const provider = stack.use(await startProvider({ directory: at('ours'), domain: 'bench.test', accounts }))
  for (const [{ address }, messages] of mail) {
    const path = join(dovecot.mail, address, 'Maildir')
    await writeMaildir(path, messages)
    const taken = await timed(() =>
      provider.command(['import', address, '--from', `maildir:${path}`], { timeoutMs: HOUR }),
    )
    report.note(`imported into ${address} in ${(taken / 1000).toFixed(0)} s`)
  }
  await run('chown', ['-R', 'nobody:nogroup', dovecot.mail])
  const started = stack.move()
  return {
    ours: { name: 'Letterlock', host: provider.host, port: provider.ports.imaps, pid: provider.pid },
    peer: { name: 'Dovecot', host: dovecot.host, port: dovecot.imapsPort, pid: dovecot.pid },
    provider,
    directory: at('ours'),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

export function login({ host, port }: Pick<ImapSide, 'host' | 'port'>, account: BenchAccount): Promise<Reader> {
  return Reader.login({ host, port, user: account.address, password: account.password })
}

/** Milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
