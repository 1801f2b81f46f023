#!/bin/sh
':' //; cd_root=$(dirname "$(readlink -f "$0")")/..; for node in "$cd_root"/node_modules/node-linux-*/bin/node node; do command -v "$node" >/dev/null && exec "$node" "$0" "$@"; done; echo 'letterlock: needs Node 24; run npm ci' >&2; exit 1
// Starts src/main.ts on Node 24: this file is read by sh, which executes the pinned Node from the lockfile (or the system's), and
// by Node, which replaces itself with the right one and the right environment, so that no second program stays in memory.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pinned = `${root}node_modules/node-linux-${process.arch}/bin/node`
const newEnough = Number(process.versions.node.split('.')[0]) >= 24

if (!newEnough && !existsSync(pinned)) {
  process.stderr.write(
    `letterlock: needs Node 24 or newer, this is ${process.versions.node}, and no pinned one is installed. Run: npm ci\n`,
  )
  process.exit(1)
}

const node = newEnough ? process.execPath : pinned
const flags = [
  // The collector may be asked: once a server has started, what the start left is let go.
  '--expose-gc',
  '--max-semi-space-size=1',
  '--disable-warning=ExperimentalWarning',
  '--disable-sigusr1',
]
const isServer = ['serve', 'start'].includes(process.argv[2])
// Finding modules is all that a start does often: without these two it calls the optimizing compiler into memory, 9 MB of it. The
// server ends this mode once it has started (src/lib/started.ts): it costs half of the speed.
const starting = isServer ? ['--efficiency-mode', '--efficiency-mode-delay-turbofan=1000'] : []
const options = [...flags, ...starting, `${root}src/main.ts`, ...process.argv.slice(2)]
const environment = {
  ...process.env,
  // fsyncs run on libuv's pool: enough threads that many accounts are synced at once.
  UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '16',
  // Many threads ask for memory: without a limit glibc keeps a heap for each.
  MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '2',
  // And without one for what it keeps, it keeps what a start needed.
  MALLOC_TRIM_THRESHOLD_: process.env.MALLOC_TRIM_THRESHOLD_ ?? '65536',
  // Node reads each TLS connection into 64 KiB of its own, of which an idle one uses a page: mapped apart, the rest costs nothing.
  MALLOC_MMAP_THRESHOLD_: process.env.MALLOC_MMAP_THRESHOLD_ ?? '65536',
  MALLOC_TOP_PAD_: process.env.MALLOC_TOP_PAD_ ?? '8192',
  // Compiled code is kept, so that later starts neither strip types again nor keep the stripper in memory.
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? `${root}node_modules/.cache/letterlock`,
}

// The first start of a version compiles in a program of its own (src/warm.ts), so that the server is small from the beginning.
if (isServer) {
  const stamp = `${environment.NODE_COMPILE_CACHE}/warm`
  const changed = (name) => (name.endsWith('.ts') ? statSync(`${root}src/${name}`).mtimeMs : 0)
  const newest = Math.max(...readdirSync(`${root}src`, { recursive: true }).map(changed))
  if (!existsSync(stamp) || statSync(stamp).mtimeMs < newest) {
    spawnSync(node, [...flags, `${root}src/main.ts`, 'warm'], { env: environment })
    try {
      writeFileSync(stamp, '')
    } catch {
      // Where the cache cannot be written, every start is a first one.
    }
  }
}

// No core file, whoever would take it (core(5), "Piping core dumps to a program"). Where this fails the limit is 0 already.
spawnSync('prlimit', ['--core=1:1', '--pid', String(process.pid)])

// Node keeps the descriptors it was given from the program that follows it: those that `sop` is to use are handed on.
const stdio = [0, 1, 2]
for (const arg of process.argv[2] === 'sop' ? process.argv.slice(3) : []) {
  const descriptor = Number(/(?:@FD:|\/dev\/fd\/|\/proc\/self\/fd\/)(\d{1,3})$/.exec(arg)?.[1] ?? 0)
  if (existsSync(`/proc/self/fd/${descriptor}`)) stdio[descriptor] = descriptor
}

if (typeof process.execve === 'function' && stdio.length === 3) {
  process.removeAllListeners('warning')
  process.execve(node, [node, ...options], environment)
}

// A process that cannot replace itself (before Node 22.15) stays, and passes signals and the exit status on.
const child = spawn(node, options, {
  stdio: Array.from(stdio, (descriptor) => descriptor ?? 'ignore'),
  env: environment,
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
