/**
 * A login with 1,000 new messages that other people's provider sealed: opened, verified and sealed at rest per second of server CPU,
 * until the listing of all of them is answered, and how long others wait meanwhile for NOOP and FETCH.
 *
 * The peer is one `gpg --decrypt` for each of the same messages, which verifies too. `--messages=N` changes the amount of work.
 */
import { startGpg } from '../test/support/peers/gpg.ts'
import { eventually, run as runCommand } from '../test/support/peers/run.ts'
import { cpuMs } from '../test/support/processes.ts'
import type { Provider } from '../test/support/provider.ts'
import { Reader } from '../test/support/reader.ts'
import { startWorld, type World } from '../test/support/world.ts'
import { corpus } from './corpus.ts'
import { startLoader } from './driver/loader.ts'
import { workDirectory } from './driver/work-directory.ts'
import { percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const alice = { address: 'alice@alpha.test', password: 'bench password of alice' }
const bob = { address: 'bob@beta.test', password: 'bench password of bob' }
const eve = { address: 'eve@beta.test', password: 'bench password of eve' }

const loginOf = ({ host, ports }: Provider, { address, password }: typeof alice) =>
  Reader.login({ host, port: ports.imaps, user: address, password })

async function fill(world: World, messages: number): Promise<void> {
  const alpha = world.providers['alpha.test']!
  await using loader = await startLoader()
  const load = {
    host: alpha.host,
    port: alpha.ports.submission,
    connections: 4,
    style: 'persistent',
    author: alice,
  } as const
  await loader.run({ ...load, messages, recipients: [bob.address] })
  const queued = () => alpha.json<unknown[]>(['queue', 'list'])
  await eventually('all of it is delivered', async () => (await queued()).length === 0, 300_000)
}

/** How long eve waits for what she asks, in milliseconds, until it is over. */
async function askAgainAndAgain(reader: Reader, over: AbortSignal): Promise<number[]> {
  const taken: number[] = []
  const commands = ['NOOP', 'FETCH 1 (FLAGS RFC822.SIZE)', 'FETCH 1 BODY.PEEK[HEADER]']
  for (let turn = 0; !over.aborted; turn++) {
    const started = performance.now()
    await reader.command(commands[turn % commands.length]!)
    taken.push(performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return taken
}

interface Opened {
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly others: readonly number[]
}

async function openAll(provider: Provider, messages: number): Promise<Opened> {
  const { pid } = provider
  await using others = await loginOf(provider, eve)
  const hello = 'Subject: Hello\r\n\r\nHow do you do?\r\n'
  await others.command(`APPEND INBOX {${hello.length}+}\r\n${hello}`)
  await others.command('EXAMINE INBOX')
  const over = new AbortController()
  const asking = askAgainAndAgain(others, over.signal)
  const before = cpuMs([pid])
  const started = performance.now()
  await using reader = await loginOf(provider, bob)
  await reader.command('EXAMINE INBOX')
  const listing = (await reader.command('FETCH 1:* (FLAGS RFC822.SIZE ENVELOPE)')).toString('latin1')
  const ms = performance.now() - started
  const cpu = cpuMs([pid]) - before
  over.abort()
  const found = listing.match(/^\* \d+ FETCH /gm)?.length ?? 0
  if (found !== messages || listing.includes('"[...]"')) throw new Error('not all of it was opened')
  return { perCpuSecond: (messages * 1000) / cpu, perSecond: (messages * 1000) / ms, others: await asking }
}

async function gpgRate(count: number): Promise<number> {
  await using gpg = await startGpg()
  await gpg.run(['--quick-generate-key', `<${bob.address}>`, 'future-default', 'default', 'never'])
  const { stdout } = await runCommand('gpg-connect-agent', ['getinfo pid', '/bye'], { env: { GNUPGHOME: gpg.home } })
  const roots = [process.pid, Number(/D ([0-9]+)/.exec(stdout.toString())![1])]
  const sealed: Buffer[] = []
  for (const message of corpus().slice(0, count)) {
    const args = ['--trust-model', 'always', '--recipient', bob.address, '--armor', '--sign', '--encrypt']
    sealed.push((await gpg.run(args, { input: message })).stdout)
  }
  const before = cpuMs(roots)
  for (const message of sealed) await gpg.decrypt(message)
  return (count * 1000) / (cpuMs(roots) - before)
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const messages = Number(options.get('messages') ?? 1000)
  await using directory = await workDirectory('unseal')
  await using world = await startWorld({
    directory: directory.path,
    providers: { 'alpha.test': [alice], 'beta.test': [bob, eve] },
    names: 'fake',
    settings: { 'submission.recipientsPerHour': '100000000', 'limits.lookups': '1000000' },
  })
  report.note(`delivering ${messages} sealed messages of 34 kB on average`)
  await fill(world, messages)
  const opened = await openAll(world.providers['beta.test']!, messages)
  const peer = await gpgRate(60)
  const rate = { unit: 'messages/s', better: 'higher' } as const
  report.figure({ ...rate, figure: 'opened and verified, per CPU second', ours: opened.perCpuSecond, target: 300 })
  report.figure({
    ...rate,
    figure: 'the same beside a gpg for each',
    ours: opened.perCpuSecond,
    peer,
    peerName: 'a gpg for each',
  })
  report.figure({ ...rate, figure: 'per second, with the driver on the machine', ours: opened.perSecond })
  for (const [part, target] of [
    [50, undefined],
    [99, 100],
  ] as const) {
    const ours = percentile(opened.others, part)
    const figure = { figure: `another session meanwhile, p${part}`, unit: 'ms', ours, better: 'lower' } as const
    report.figure(target === undefined ? figure : { ...figure, target })
  }
}

export const bench: Benchmark = {
  name: 'unseal',
  about: 'new messages that their senders sealed, opened at a login, and what other sessions notice of it',
  run,
}
