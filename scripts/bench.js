// npm run bench -- NAME [--json]: hands over to bench/run.ts on the pinned Node.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinnedNode } from './pinned-node.js'

const run = fileURLToPath(new URL('../bench/run.ts', import.meta.url))
const { status } = spawnSync(pinnedNode(), [run, ...process.argv.slice(2)], { stdio: 'inherit' })
process.exit(status ?? 1)
