/** One message from its author to its reader, followed from place to place. */
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { eventually } from '../../test/support/peers/run.ts'
import type { Provider, ProviderAccount } from '../../test/support/provider.ts'
import { Reader } from '../../test/support/reader.ts'
import type { WireTap } from '../../test/support/wire-tap.ts'
import { type Place, searchFiles, searchOctets, type Wanted } from './places.ts'
import type { Sending } from './sending.ts'

export interface Correspondent {
  readonly name: string
  readonly account: ProviderAccount
  readonly provider: Provider
  /** That mail to them comes by. */
  readonly wire: WireTap
}

export interface Writing {
  readonly author: Correspondent
  readonly reader: Correspondent
  readonly say: (text: string) => void
  readonly send: (sending: Sending) => Promise<string>
}

export interface Written {
  readonly places: readonly Place[]
  /** Lines of the fields that say what is known of the message. */
  readonly shown: readonly string[]
}

/** Words that are found nowhere by chance. */
function compose({ author, reader }: Writing): { readonly wanted: Wanted; readonly message: Buffer } {
  const code = () => randomBytes(4).toString('hex')
  const wanted = {
    subject: `The surprise party is on ${code()}`,
    body: `The key of the cellar hangs behind clock ${code()}`,
    sender: author.account.address,
    recipient: reader.account.address,
  }
  const lines = [
    `From: ${wanted.sender}`,
    `To: ${wanted.recipient}`,
    `Subject: ${wanted.subject}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${code()}@${author.account.address.split('@')[1]}>`,
    '',
    `${wanted.body}.`,
    '',
  ]
  return { wanted, message: Buffer.from(lines.join('\r\n')) }
}

interface Waiting {
  readonly id: string
}

export async function writeOnce(writing: Writing): Promise<Written> {
  const { author, reader, say, send } = writing
  const [near, far] = [author, reader].map(({ account }) => account.address.split('@')[1]!)
  const disk = ({ provider }: Correspondent) => dirname(provider.data)
  const queued = () => author.provider.json<readonly Waiting[]>(['queue', 'list'])
  const { wanted, message } = compose(writing)
  say('')
  say(`${author.name} writes to ${reader.name}. Subject: ${wanted.subject}`)

  // The network is slow for once, so that there is time to look at the queue.
  reader.wire.hold()
  const reply = await send({ provider: author.provider, author: author.account, to: reader.account.address, message })
  say(`  ${near} says: ${reply}`)
  await eventually(`mail in the queue of ${near}`, async () => (await queued()).length > 0)
  const waiting = await searchFiles(`${near} disk, waiting`, wanted, disk(author))
  reader.wire.letGo()
  await eventually(`mail leaves ${near}`, async () => (await queued()).length === 0, 60_000)
  say(`  ${far} has it; ${reader.name} has not logged in yet`)
  const arrived = await searchFiles(`${far} disk, unread`, wanted, disk(reader))
  const read = await readAll(reader)
  say(`  ${reader.name} has read it`)
  const rest = await searchFiles(`${far} disk, read`, wanted, disk(reader))
  const places = [
    searchOctets(`${author.name}'s mail program`, 'readable', wanted, [message]),
    waiting,
    searchOctets(`wire to ${far}, no TLS`, 'closed', wanted, [reader.wire.heard()]),
    arrived,
    searchOctets(`${reader.name}'s mail program`, 'readable', wanted, read),
    rest,
  ]
  return { places, shown: read.flatMap(resultsIn) }
}

async function readAll({ account, provider }: Correspondent): Promise<Buffer[]> {
  const { host, ports } = provider
  const login = { host, port: ports.imaps, user: account.address, password: account.password }
  await using reader = await Reader.login(login)
  return (await reader.fetch('1:*')).map((octets) => Buffer.from(octets))
}

/** RFC 8601, in the lines that it came in. */
function resultsIn(message: Buffer): string[] {
  const header = message.toString('latin1').split('\r\n\r\n')[0]!
  const fields = header.split(/\r\n(?![ \t])/).filter((field) => /^authentication-results:/i.test(field))
  return fields.flatMap((field) => field.split('\r\n').map((line) => line.replace(/^[ \t]+/, '  ')))
}
