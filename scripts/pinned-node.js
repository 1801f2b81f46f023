import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The Node to run everything with: the caller's when new enough, else the one that the lockfile pins. */
export function pinnedNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const pinned = `${root}node_modules/node-linux-${process.arch}/bin/node`
  if (existsSync(pinned)) return pinned
  throw new Error('No Node 24 here: run npm ci')
}
