// npm run demo [-- --keep]: hands over to demo/run.ts on the pinned Node.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinnedNode } from './pinned-node.js'

const run = fileURLToPath(new URL('demo/run.ts', import.meta.url))
const child = spawn(pinnedNode(), [run, ...process.argv.slice(2)], { stdio: 'inherit' })
// It cleans up behind itself, whoever is told to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (status) => process.exit(status ?? 1))
