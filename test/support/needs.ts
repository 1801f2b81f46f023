/**
 * Tests with real peers say which commands they need: `test('...', needs('swaks', 'gpg'), ...)`. Where a command is missing the
 * test is skipped by name, so a machine without them still runs all others; with CI=true it is a failure instead, so that a skipped
 * test never looks like a passed one. `scripts/peers.sh` installs them all.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'

/** Daemons live in sbin, which is not on everybody's PATH. */
const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a command, or null. */
export function findCommand(command: string): string | null {
  for (const directory of directories) {
    if (directory === '') continue
    const path = resolve(directory, command)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return null
}

/** Whether this process may mount file systems; root in a container often may not. */
function canMount(): boolean {
  return spawnSync('unshare', ['--mount', 'true']).status === 0
}

function isThere(requirement: string): boolean {
  if (requirement === 'root') return process.getuid?.() === 0
  if (requirement === 'mounting') return canMount()
  return findCommand(requirement) !== null
}

/** Options for node:test. `root` stands for the superuser, `mounting` for the right to mount, anything else for a command. */
export function needs(...requirements: readonly string[]): { skip: string | false } {
  const missing = requirements.filter((requirement) => !isThere(requirement))
  if (missing.length === 0) return { skip: false }
  const reason = `needs ${missing.join(', ')}`
  if (process.env['CI'] === 'true') throw new Error(`This test ${reason}. Run scripts/peers.sh as root.`)
  return { skip: `skipped: ${reason}` }
}
