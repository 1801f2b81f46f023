/**
 * Submissions per second of server CPU, signed and encrypted to one recipient at another provider whose certificate is known, beside the
 * same messages that ask not to be encrypted; and how long a submission takes whose recipient nobody wrote to before (SRV, HKP over
 * TLS). Mail to the other provider is held up on the wire, so that no delivery is in the figures.
 *
 * The peer is what filters around a mail server do: one `gpg --sign --encrypt` for each message, its agent running. CPU is that of all
 * processes of the server, from /proc. `--messages=N`, `--runs=N` and `--strangers=N` change the amount of work.
 */
import { join } from 'node:path'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { startGpg } from '../test/support/peers/gpg.ts'
import { run as runCommand } from '../test/support/peers/run.ts'
import { cpuMs } from '../test/support/processes.ts'
import { dotStuffed, openLine } from '../test/support/smtp-line.ts'
import { startWorld, type World } from '../test/support/world.ts'
import { corpus } from './corpus.ts'
import { type Loader, startLoader } from './driver/loader.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median, percentile } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const alice = { address: 'alice@alpha.test', password: 'bench password of alice' }
const bob = { address: 'bob@beta.test', password: 'bench password of bob' }
const CONNECTIONS = 4

interface Measurement {
  readonly perCpuSecond: number
  readonly perSecond: number
}

const STYLES = { sealed: '', plain: 'Letterlock-Encrypt: no\r\n' } as const
type Style = keyof typeof STYLES

async function measure(loader: Loader, world: World, style: Style, messages: number): Promise<Measurement> {
  const { host, ports, pid } = world.providers['alpha.test']!
  const load = { host, port: ports.submission, connections: CONNECTIONS, style: 'persistent', author: alice } as const
  const submit = async (count: number) => {
    const before = cpuMs([pid])
    const done = await loader.run({ ...load, messages: count, recipients: [bob.address], fields: STYLES[style] })
    return { cpu: cpuMs([pid]) - before, ms: done.finished - done.started }
  }
  // What logging in costs is no part of it.
  const entering = await submit(0)
  const { cpu, ms } = await submit(messages)
  return { perCpuSecond: (messages * 1000) / (cpu - entering.cpu), perSecond: (messages * 1000) / ms }
}

/** Accounts whose keys are published and that never log in; made without the cost of passwords. */
async function addStrangers(world: World, count: number): Promise<string[]> {
  const provider = world.providers['beta.test']!
  await using directory = await openDirectory(join(provider.data, 'directory.db'))
  const names = Array.from({ length: count }, (_, number) => `stranger${number}`)
  for (const local of names) {
    const address = { local, domain: 'beta.test' }
    const userId = `<${local}@beta.test>`
    const { certificate } = await generateKeys({
      userId,
      algorithm: 'curve25519',
      created: new Date(Date.now() - 60_000),
    })
    const { fingerprint } = parseCertificate(certificate)
    const key = { certificate, fingerprint, since: Date.now(), use: 'both', custody: 'held' } as const
    await directory.addAccount({ id: local, address, state: 'active', created: Date.now(), quota: null }, key)
  }
  return names.map((name) => `${name}@beta.test`)
}

/** Milliseconds from the end of each message to its reply, one after the other. */
async function latencies(world: World, recipients: readonly string[]): Promise<number[]> {
  const { host, ports } = world.providers['alpha.test']!
  const line = await openLine(host, ports.submission)
  await line.say('', '220')
  await line.say('EHLO bench.test\r\n', '250')
  await line.startTls()
  await line.say('EHLO bench.test\r\n', '250')
  await line.logIn(alice)
  const taken: number[] = []
  for (const to of recipients) {
    await line.say(`MAIL FROM:<${alice.address}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`, '250', '250', '354')
    const message = dotStuffed(
      Buffer.from(`From: ${alice.address}\r\nTo: ${to}\r\nSubject: Hello\r\n\r\nHow do you do?\r\n`),
    )
    const started = performance.now()
    await line.say(message, '250')
    taken.push(performance.now() - started)
  }
  line.end()
  return taken
}

/** Messages per second of CPU, that of the agent included. */
async function gpgRate(count: number): Promise<number> {
  await using gpg = await startGpg()
  for (const { address } of [alice, bob])
    await gpg.run(['--quick-generate-key', `<${address}>`, 'future-default', 'default', 'never'])
  const env = { GNUPGHOME: gpg.home }
  const { stdout } = await runCommand('gpg-connect-agent', ['getinfo pid', '/bye'], { env })
  const agent = Number(/D ([0-9]+)/.exec(stdout.toString())![1])
  const roots = [process.pid, agent]
  const options = ['--trust-model', 'always', '--local-user', alice.address, '--recipient', bob.address]
  const before = cpuMs(roots)
  for (const message of corpus().slice(0, count))
    await gpg.run([...options, '--armor', '--sign', '--encrypt'], { input: message })
  return (count * 1000) / (cpuMs(roots) - before)
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const messages = Number(options.get('messages') ?? 800)
  const runs = Number(options.get('runs') ?? 3)
  const strangers = Number(options.get('strangers') ?? 200)
  await using directory = await workDirectory('submit')
  await using world = await startWorld({
    directory: directory.path,
    providers: { 'alpha.test': [alice], 'beta.test': [bob] },
    names: 'fake',
    settings: { 'submission.recipientsPerHour': '100000000', 'limits.lookups': '1000000' },
  })
  world.wires['beta.test']!.hold()
  await using loader = await startLoader()
  report.note(`${messages} submissions of 34 kB on average over ${CONNECTIONS} connections, ${runs} runs`)
  const results: Record<Style | 'gpg', Measurement[]> = { sealed: [], plain: [], gpg: [] }
  // The first round warms up.
  for (let round = 0; round <= runs; round++) {
    for (const style of ['sealed', 'plain'] as const) {
      const measured = await measure(loader, world, style, round === 0 ? messages / 4 : messages)
      if (round > 0) results[style].push(measured)
      report.note(`  ${style}: ${measured.perCpuSecond.toFixed(0)} per CPU second, ${measured.perSecond.toFixed(0)}/s`)
    }
    const rate = await gpgRate(round === 0 ? 10 : 60)
    if (round > 0) results.gpg.push({ perCpuSecond: rate, perSecond: rate })
  }
  const middle = (which: keyof typeof results, key: keyof Measurement) => median(results[which].map((one) => one[key]))
  const rate = { unit: 'messages/s', better: 'higher' } as const
  const sealed = middle('sealed', 'perCpuSecond')
  report.figure({ ...rate, figure: 'signed and encrypted, per CPU second', ours: sealed, target: 200 })
  const peers = {
    'a gpg for each': middle('gpg', 'perCpuSecond'),
    'ours, not encrypted': middle('plain', 'perCpuSecond'),
  }
  for (const [peerName, peer] of Object.entries(peers))
    report.figure({ ...rate, figure: `the same beside ${peerName}`, ours: sealed, peer, peerName })
  report.figure({ ...rate, figure: 'per second, with the driver on the machine', ours: middle('sealed', 'perSecond') })

  const known = await latencies(world, new Array<string>(strangers).fill(bob.address))
  const first = await latencies(world, await addStrangers(world, strangers))
  for (const [which, taken] of Object.entries({ 'known recipient': known, 'first contact': first }))
    for (const part of [50, 99])
      report.figure({ figure: `${which}, p${part}`, unit: 'ms', ours: percentile(taken, part), better: 'lower' })
}

export const bench: Benchmark = {
  name: 'submit',
  about: 'submissions signed and encrypted to a recipient elsewhere, beside gpg, and the time of a first contact',
  run,
}
