/**
 * `npm run bench -- NAME [--json] [--option=value]`. Prints a table; with `--json` the last line is one JSON object with the figures and
 * the machine. The exit status is 0 whenever it measured, whatever the figures say.
 */
import { readdir } from 'node:fs/promises'
import { createReporter, machine, tableOf } from './harness.ts'
import type { Benchmark } from './reporter.ts'

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Files of this folder that export a benchmark. */
async function benchmarks(): Promise<Map<string, Benchmark>> {
  const found = new Map<string, Benchmark>()
  const own = new Set(['run.ts', 'harness.ts', 'reporter.ts'])
  for (const file of (await readdir(import.meta.dirname)).sort()) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts') || own.has(file)) continue
    const { bench } = (await import(`./${file}`)) as { bench?: Benchmark }
    if (bench !== undefined) found.set(bench.name, bench)
  }
  return found
}

async function main(args: readonly string[]): Promise<number> {
  const all = await benchmarks()
  const name = args.find((argument) => !argument.startsWith('--'))
  const bench = all.get(name ?? '')
  if (bench === undefined) {
    print(`usage: npm run bench -- NAME [--json]${name === undefined ? '' : `\nThere is no benchmark "${name}".`}`)
    for (const { name, about } of all.values()) print(`  ${name.padEnd(10)} ${about}`)
    return 2
  }
  const options = new Map(
    args
      .filter((argument) => argument.startsWith('--'))
      .map((argument) => {
        const [key = '', value = ''] = argument.slice(2).split('=', 2)
        return [key, value] as const
      }),
  )
  const facts = machine()
  const report = createReporter(print)
  await bench.run(report, options)
  print(`\n${bench.name}: ${bench.about}\n${tableOf(report.figures)}`)
  print(`${facts.cpu}, ${facts.cores} cores, Linux ${facts.kernel}, Node ${facts.node}, load before ${facts.load}`)
  if (options.has('json')) print(JSON.stringify({ name: bench.name, figures: report.figures, machine: facts }))
  return 0
}

process.exitCode = await main(process.argv.slice(2))
