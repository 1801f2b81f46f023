/**
 * Lookups of one certificate by address over HTTPS, connections kept alive, beside nginx that serves the same octets as a static file
 * with the same TLS certificate. What counts is lookups per second of the server's CPU time, over all its processes, from /proc: the
 * driver, in a process of its own, is not in it. `--requests=N`, `--runs=N` and `--connections=N` change the amount of work.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNginx } from '../test/support/peers/nginx.ts'
import { cpuMs } from '../test/support/processes.ts'
import { startProvider } from '../test/support/provider.ts'
import { fetchOnce, type HttpTarget } from './driver/http-load.ts'
import { type HttpLoader, startHttpLoader } from './driver/loader.ts'
import { workDirectory } from './driver/work-directory.ts'
import { median } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const account = { address: 'ann@bench.test', password: 'bench password' }
const lookup = `/pks/lookup?op=get&search=${account.address}`

interface Contestant {
  readonly name: string
  readonly target: HttpTarget
  /** Roots of its process trees. */
  readonly roots: readonly number[]
}

interface Measurement {
  readonly perCpuSecond: number
  readonly perSecond: number
}

async function measure(loader: HttpLoader, one: Contestant, requests: number, connections: number) {
  const before = cpuMs(one.roots)
  const { ms } = await loader.run({ ...one.target, requests, connections })
  const cpu = cpuMs(one.roots) - before
  return { perCpuSecond: (requests * 1000) / cpu, perSecond: (requests * 1000) / ms }
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const requests = Number(options.get('requests') ?? 40_000)
  const connections = Number(options.get('connections') ?? 16)
  const runs = Number(options.get('runs') ?? 5)
  await using directory = await workDirectory('keyserver')
  const at = (name: string) => join(directory.path, name)
  await mkdir(at('nginx'))
  await using provider = await startProvider({
    directory: at('ours'),
    domain: 'bench.test',
    accounts: [account],
    settings: { 'limits.lookups': '1000000000' },
  })
  const ours = {
    host: provider.host,
    port: provider.ports.https,
    path: lookup,
    ca: await readFile(provider.ca, 'utf8'),
  }
  const { body } = await fetchOnce(ours)
  await using nginx = await startNginx({
    directory: at('nginx'),
    host: provider.host,
    tls: { certificate: provider.certificate, key: join(provider.data, 'tls/server.key') },
    files: { 'key.asc': body },
    type: 'application/pgp-keys',
    fields: { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'public, max-age=300' },
  })
  const theirs = { host: nginx.host, port: nginx.port, path: '/key.asc', ca: ours.ca }
  if (!(await fetchOnce(theirs)).body.equals(body)) throw new Error('not the same octets on both sides')
  const contestants: readonly Contestant[] = [
    { name: 'nginx', target: theirs, roots: [nginx.pid] },
    { name: 'Letterlock', target: ours, roots: [provider.pid] },
  ]
  await using loader = await startHttpLoader()
  report.note(`${requests} lookups of ${body.length} octets, ${connections} connections, ${runs} runs`)
  const results = new Map(contestants.map(({ name }) => [name, [] as Measurement[]]))
  // The first round warms up.
  for (let round = 0; round <= runs; round++) {
    for (const one of contestants) {
      const measured = await measure(loader, one, requests, connections)
      if (round > 0) results.get(one.name)!.push(measured)
    }
  }
  tell(report, results.get('Letterlock')!, results.get('nginx')!)
}

function tell(report: Reporter, ours: readonly Measurement[], nginx: readonly Measurement[]): void {
  const rows = [
    { key: 'perCpuSecond', figure: 'lookups per CPU second', unit: 'lookups/s', target: 0.3 },
    { key: 'perSecond', figure: 'lookups per second, one machine with the driver', unit: 'lookups/s' },
  ] as const
  for (const { key, ...row } of rows) {
    const middle = (all: readonly Measurement[]) => median(all.map((one) => one[key]))
    report.figure({ ...row, ours: middle(ours), peer: middle(nginx), peerName: 'nginx', better: 'higher' })
  }
}

export const bench: Benchmark = {
  name: 'keyserver',
  about: 'lookups over HTTPS with kept connections, beside nginx with the same certificate as a file',
  run,
}
