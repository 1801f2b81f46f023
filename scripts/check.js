// npm run ok: everything a commit must pass, in under two minutes. npm test: the same, and the tests with real peers.
// Each step says how long it took; the first failure of a static check does not hide the others.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
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

const tests = [
  ...testsIn('src', true),
  ...testsIn('test', false),
  ...testsIn('test/support', false),
  ...testsIn('bench', false),
  ...testsIn('test/dialogs', false),
  ...testsIn('test/journeys', false),
  ...(all ? testsIn('test/interop', false) : []),
].sort()

const report = `${root}node_modules/.cache/tests.txt`
mkdirSync(`${root}node_modules/.cache`, { recursive: true })

const passed = [
  step('types', bin('tsc'), ['--noEmit']),
  step('lint and format', bin('biome'), ['check', '--diagnostic-level=warn', '--error-on-warnings', '.']),
  step('unused code', bin('knip'), ['--no-progress']),
  step(all ? 'tests, with peers' : 'tests', node, [
    '--test',
    '--test-concurrency=3',
    '--test-reporter=dot',
    '--test-reporter-destination=stdout',
    '--test-reporter=spec',
    `--test-reporter-destination=${report}`,
    ...tests,
  ]),
]
// The dots say nothing of how many: the closing lines of the full report do.
process.stdout.write(
  `${readFileSync(report, 'utf8')
    .split('\n')
    .filter((line) => /^ℹ (tests|pass|fail|skipped) /.test(line))
    .join('\n')}\n`,
)
process.exit(passed.every(Boolean) ? 0 : 1)
