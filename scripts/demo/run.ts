/**
 * `npm run demo`: two providers on this machine write to each other by ordinary mail programs; at each place that a message comes by,
 * everything that is there is searched for what it says. `--keep` leaves both running until Ctrl-C, `--plain`
 * does without Knot, Unbound and swaks also where they are installed.
 *
 * Exit status 0 when the message could be read by its author and its reader and nowhere between, 1 when not, 2 for wrong usage.
 */
import { randomBytes } from 'node:crypto'
import { findCommand } from '../../test/support/needs.ts'
import type { ProviderAccount } from '../../test/support/provider.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { startWorld, type World } from '../../test/support/world.ts'
import { connections } from './connections.ts'
import { type Correspondent, writeOnce } from './letter.ts'
import { isKept, type Place, tableOf } from './places.ts'
import { sendByHand, sendBySwaks } from './sending.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)

const account = (address: string): ProviderAccount => ({ address, password: randomBytes(9).toString('base64url') })

/** Two each, so that no trace of one message is taken for one of the other. */
const ACCOUNTS = {
  'alpha.test': [account('alice@alpha.test'), account('anna@alpha.test')],
  'beta.test': [account('bob@beta.test'), account('bella@beta.test')],
} as const

const hasAll = (...commands: readonly string[]) => commands.every((command) => findCommand(command) !== null)

/** What is played with real programs here, and what is not. */
function announce(isSigned: boolean, hasSwaks: boolean): void {
  say('Two mail providers on this machine: alpha.test and beta.test.')
  say('Each is a Letterlock of its own.')
  say(
    isSigned
      ? '  DNS      really signed zones by Knot, really validated by Unbound'
      : '  DNS      pretended: a built-in resolver, without Knot and Unbound',
  )
  say(hasSwaks ? '  sending  swaks' : '  sending  a built-in client, without swaks')
  say('  reading  an IMAP client')
  say('')
  say('Every place is searched for what a message says and who writes to whom, in')
  say('clear, hexadecimal, base64 and UTF-16. wire: heard by an attacker who takes TLS')
  say('out; disk: all files of a provider, while mail waits to leave, before and after')
  say('it is read.')
  say('')
}

function correspondent(world: World, domain: keyof typeof ACCOUNTS, which: 0 | 1): Correspondent {
  const account = ACCOUNTS[domain][which]
  const name = account.address.split('@')[0]!
  return { name, account, provider: world.providers[domain]!, wire: world.wires[domain]! }
}

/** Answers whether the promise was kept. */
function judge(places: readonly Place[], text: string): boolean {
  const broken = places.filter((place) => !isKept(place))
  for (const { expected, name } of broken)
    say(
      `BROKEN: ${expected === 'closed' ? 'what the message says was found here' : 'it could not be read here'}: ${name}`,
    )
  if (broken.length === 0) say(`Kept: ${text}`)
  return broken.length === 0
}

interface Wishes {
  readonly keep: boolean
  readonly plain: boolean
}

async function play({ keep, plain }: Wishes, stopping: AbortSignal): Promise<boolean> {
  const isSigned = !plain && hasAll('knotd', 'keymgr', 'kzonesign', 'unbound')
  const hasSwaks = !plain && hasAll('swaks')
  announce(isSigned, hasSwaks)
  say('Making accounts, keys, certificates and DNS records takes some seconds ...')
  await using directory = await temporaryDirectory('demo')
  await using world = await startWorld({
    directory: directory.path,
    providers: ACCOUNTS,
    names: isSigned ? 'signed' : 'fake',
  })
  let isGood = true
  for (const [author, reader] of [
    [correspondent(world, 'alpha.test', 0), correspondent(world, 'beta.test', 0)],
    [correspondent(world, 'beta.test', 1), correspondent(world, 'alpha.test', 1)],
  ] as const) {
    stopping.throwIfAborted()
    const { places, shown } = await writeOnce({ author, reader, say, send: hasSwaks ? sendBySwaks : sendByHand })
    say('')
    say(tableOf(places))
    say('')
    if (shown.length > 0) say(`${reader.name}'s mail program shows:`)
    for (const line of shown) say(`  ${line}`)
    const text = `${reader.name} reads what ${author.name} wrote.\n      The wire and both disks show at most who writes to whom.`
    isGood = judge(places, text) && isGood
  }
  if (keep) {
    say(connections(world, Object.values(ACCOUNTS).flat()))
    await new Promise<void>((resolve) => stopping.addEventListener('abort', () => resolve(), { once: true }))
  }
  say(
    keep
      ? '\nStopping both, and removing what they kept.'
      : 'Both are stopped, and what they kept is removed; --keep leaves them running.',
  )
  return isGood
}

async function main(args: readonly string[]): Promise<number> {
  if (args.some((argument) => argument !== '--keep' && argument !== '--plain')) {
    process.stderr.write('usage: npm run demo [-- --keep] [--plain]\n')
    return 2
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  try {
    return (await play({ keep: args.includes('--keep'), plain: args.includes('--plain') }, stop.signal)) ? 0 : 1
  } catch (error) {
    process.stderr.write(stop.signal.aborted ? 'demo: stopped\n' : `demo: ${String(error)}\n`)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
