/**
 * Resident memory of all processes of the server together: idle after a start, and after 10,000 deliveries. Each process counts
 * with all pages it has, shared or not, as `ps` would add them up. `--messages=N` changes the number.
 */

import { memoryMB } from '../test/support/processes.ts'
import { startLoader } from './driver/loader.ts'
import { benchAccounts, startOurs } from './driver/mail-server.ts'
import { workDirectory } from './driver/work-directory.ts'
import type { Benchmark, Reporter } from './reporter.ts'

/** Long enough for what a start leaves behind to be collected. */
const settleMs = 5_000

async function settled(roots: readonly number[]): Promise<{ rss: number; pss: number }> {
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  return memoryMB(roots)
}

async function run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void> {
  const messages = Number(options.get('messages') ?? 10_000)
  const accounts = benchAccounts(20)
  await using directory = await workDirectory('memory')
  await using loader = await startLoader()
  report.note(`starting, ${accounts.length} accounts`)
  await using server = await startOurs(directory.path, accounts)
  const idle = await settled(server.roots)
  report.note(`idle: ${idle.rss.toFixed(0)} MB, ${idle.pss.toFixed(0)} MB with shared pages shared out`)
  const recipients = accounts.map((account) => account.address)
  const load = { ...server.smtp, connections: 10, recipients, style: 'persistent' } as const
  await loader.run({ ...load, messages })
  const during = memoryMB(server.roots)
  const after = await settled(server.roots)
  report.note(`after ${messages} deliveries: ${during.rss.toFixed(0)} MB at once, ${after.rss.toFixed(0)} MB settled`)
  report.figure({ figure: 'idle, all processes', unit: 'MB RSS', ours: idle.rss, target: 150, better: 'lower' })
  report.figure({ figure: 'idle, shared pages shared out', unit: 'MB PSS', ours: idle.pss, better: 'lower' })
  report.figure({ figure: `after ${messages} deliveries`, unit: 'MB RSS', ours: during.rss, better: 'lower' })
  report.figure({ figure: 'growth', unit: 'times idle', ours: during.rss / idle.rss, target: 2, better: 'lower' })
}

export const bench: Benchmark = {
  name: 'memory',
  about: 'resident memory of all processes, idle and after 10,000 deliveries',
  run,
}
