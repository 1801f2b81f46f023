#!/usr/bin/env node
// Starts src/main.ts on Node 24. When the caller's Node is older, the pinned one from the lockfile is executed instead.
// Compiled code is cached, so that later starts neither strip types again nor keep the stripper in memory.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
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

const child = spawn(newEnough ? process.execPath : pinned, [`${root}src/main.ts`, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    // fsyncs run on libuv's pool: enough threads that many accounts are synced at once.
    UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '16',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? `${root}node_modules/.cache/letterlock`,
  },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
