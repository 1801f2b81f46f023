// npm run ok: everything a commit must pass, in under two minutes. npm test: the same, and the tests with real peers.
// Each step says how long it took; the first failure of a static check does not hide the others.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pinnedNode } from './pinned-node.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const all = process.argv[2] === 'all'
const bin = (name) => `${root}node_modules/.bin/${name}`
const node = pinnedNode()
const environment = {
  ...process.env,
  PATH: `${root}node_modules/.bin:${process.env.PATH}`,
  NODE_COMPILE_CACHE: `${root}node_modules/.cache/letterlock`,
  UV_THREADPOOL_SIZE: '16',
}

/** Runs to its end, and answers whether it was well and what it said, so that its lines stay together. */
async function said(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
  const [status] = await once(child, 'close')
  return { isWell: status === 0, text }
}

/** One after the other: each of them would take both cores from the tests. */
async function staticChecks() {
  const checks = {
    types: [bin('tsc'), ['--noEmit']],
    'lint and format': [bin('biome'), ['check', '--diagnostic-level=warn', '--error-on-warnings', '.']],
    'unused code': [bin('knip'), ['--no-progress']],
  }
  const results = []
  for (const [name, [command, args]] of Object.entries(checks)) {
    const started = Date.now()
    const { isWell, text } = await said(command, args)
    report(name, isWell, started, isWell ? '' : text)
    results.push(isWell)
  }
  return results.every(Boolean)
}

function report(name, isWell, started, text) {
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  process.stdout.write(
    `${text}${text.endsWith('\n') || text === '' ? '' : '\n'}── ${name}: ${isWell ? 'ok' : 'FAILED'} (${seconds} s)\n`,
  )
}

function testsIn(folder, recursive) {
  return readdirSync(`${root}${folder}`, { recursive })
    .filter((name) => String(name).endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
}

// Rooms whose tests leave nothing behind them: they share one process, which saves starting one for each file.
const sharing = [
  'agents',
  'config',
  'custody/accounts',
  'custody/audit',
  'custody/escrow',
  'custody/vault',
  'formats',
  'lib',
  'policy',
  'privacy',
  'servers',
  'session',
].map((room) => `src/${room}/`)
const sources = testsIn('src', true)
const shares = (file) => sharing.some((room) => file.startsWith(room))

/** What runs side by side: for two cores, with journeys that also wait for their peers. */
const lanes = {
  journeys: [
    all ? '--test-concurrency=2' : '--test-concurrency=1',
    ...testsIn('test/journeys', false),
    ...(all ? [...testsIn('test/journeys/long', false), ...testsIn('test/interop', false)] : []),
  ],
  rooms: ['--test-isolation=none', ...sources.filter(shares), ...testsIn('test/dialogs', false)],
  others: [
    '--test-concurrency=2',
    ...sources.filter((file) => !shares(file)),
    ...testsIn('test', false),
    ...testsIn('test/support', false),
    ...testsIn('bench', false),
  ],
}

// With LETTERLOCK_LONG=1 everything is tried more often, and with other examples each time.
const steady = process.env.LETTERLOCK_LONG === '1' ? [] : ['--import', `${root}test/support/steady-properties.ts`]

const cache = `${root}node_modules/.cache`
const reportOf = (name) => `${cache}/tests-${name}.txt`

/** Prints what a lane says when it has ended, so that its lines stay together. */
async function lane(name, args) {
  const started = Date.now()
  const reporters = [
    ...['--test-reporter=dot', '--test-reporter-destination=stdout'],
    ...['--test-reporter=spec', `--test-reporter-destination=${reportOf(name)}`],
  ]
  const { isWell, text } = await said(node, ['--test', ...steady, ...reporters, ...args])
  report(`tests, ${name}`, isWell, started, text)
  return isWell
}

/** One report of all lanes, and its closing lines added up: the dots say nothing of how many. */
function closeReport(names) {
  const reports = names.map((name) => readFileSync(reportOf(name), 'utf8'))
  writeFileSync(`${cache}/tests.txt`, reports.join(''))
  for (const count of ['tests', 'pass', 'fail', 'skipped']) {
    const found = [...reports.join('').matchAll(new RegExp(`^ℹ ${count} (\\d+)$`, 'gm'))]
    process.stdout.write(`ℹ ${count} ${found.reduce((sum, [, number]) => sum + Number(number), 0)}\n`)
  }
}

mkdirSync(cache, { recursive: true })

const passed = await Promise.all([staticChecks(), ...Object.entries(lanes).map(([name, args]) => lane(name, args))])
closeReport(Object.keys(lanes))
process.exit(passed.every(Boolean) ? 0 : 1)
