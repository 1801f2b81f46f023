// npm run ok: everything a commit must pass, in under two minutes. npm test: the same, and the tests with real peers.
// Each step says how long it took; the first failure of a static check does not hide the others.
import { spawn, spawnSync } from 'node:child_process'
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

function step(name, command, args) {
  const started = Date.now()
  process.stdout.write(`── ${name}\n`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment })
  process.stdout.write(
    `── ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`,
  )
  return status === 0
}

function testsIn(folder, recursive) {
  return readdirSync(`${root}${folder}`, { recursive })
    .filter((name) => String(name).endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
}

// Rooms whose tests leave nothing behind them: they share one process, which saves starting one for each file.
const sharing = ['agents', 'config', 'custody/audit', 'formats', 'lib', 'policy', 'servers', 'session'].map(
  (room) => `src/${room}/`,
)
const sources = testsIn('src', true)
const shares = (file) => sharing.some((room) => file.startsWith(room))

/** What runs side by side: for two cores, with journeys that also wait for their peers. */
const lanes = {
  journeys: [
    '--test-concurrency=2',
    ...testsIn('test/journeys', false),
    ...(all ? testsIn('test/interop', false) : []),
  ],
  rooms: ['--test-isolation=none', ...sources.filter(shares), ...testsIn('test/dialogs', false)],
  others: [
    '--test-concurrency=1',
    ...sources.filter((file) => !shares(file)),
    ...testsIn('test', false),
    ...testsIn('test/support', false),
    ...testsIn('bench', false),
  ],
}

const cache = `${root}node_modules/.cache`
const reportOf = (name) => `${cache}/tests-${name}.txt`

/** Prints what a lane says when it has ended, so that its lines stay together. */
async function lane(name, args) {
  const started = Date.now()
  const reporters = [
    ...['--test-reporter=dot', '--test-reporter-destination=stdout'],
    ...['--test-reporter=spec', `--test-reporter-destination=${reportOf(name)}`],
  ]
  const child = spawn(node, ['--test', ...reporters, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: environment,
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  const [status] = await once(child, 'close')
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${said}\n── tests, ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds} s)\n`)
  return status === 0
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

const passed = [
  step('types', bin('tsc'), ['--noEmit']),
  step('lint and format', bin('biome'), ['check', '--diagnostic-level=warn', '--error-on-warnings', '.']),
  step('unused code', bin('knip'), ['--no-progress']),
  ...(await Promise.all(Object.entries(lanes).map(([name, args]) => lane(name, args)))),
]
closeReport(Object.keys(lanes))
process.exit(passed.every(Boolean) ? 0 : 1)
