/**
 * Started in the vault's place, with the vault's flags: tries from the inside what the vault must not be able to do
 * (vault-attempts.ts), and tells through the socket what happened. With `--free` it does not confine itself, so that a test can
 * see that the same attempts succeed, or fail for other reasons, without the walls.
 */
import net from 'node:net'
import { confine } from '../../src/custody/vault/confine.ts'
import { attemptsOf, inherited, type Target } from './vault-attempts.ts'

const socket = new net.Socket({ fd: 3, readable: true, writable: true })
const isFree = process.argv.includes('--free')
if (!isFree) confine(socket)
const attempts = attemptsOf(isFree)

async function attempt(name: string, target: Target): Promise<string> {
  try {
    await attempts[name]!(target, socket)
    return 'done'
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error)
    return (cause as NodeJS.ErrnoException).code ?? cause.name
  }
}

async function attemptAll(target: Target): Promise<void> {
  const results: Record<string, string> = {}
  // One after the other: some spoil others when they succeed.
  for (const name of Object.keys(attempts)) results[name] = await attempt(name, target)
  const answer = { environment: Object.keys(process.env), inherited: inherited(), results }
  socket.end(JSON.stringify(answer), () => process.exit(0))
}

socket.once('data', (line: Buffer) => {
  void attemptAll(JSON.parse(line.toString()))
})
