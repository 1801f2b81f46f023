/**
 * kill -9 of all processes at random moments while mail comes in: every acknowledged message is there once the server runs again, and
 * only what was in flight at the kill may be there twice (its sender has to send it again, RFC 5321 §4.1.1.4 and §6.1).
 *
 * The quick form runs always; `LETTERLOCK_LONG=1` makes it 10,000 deliveries with ten kills.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { needs } from '../support/needs.ts'
import { curlSubmit } from '../support/peers/curl.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { Reader } from '../support/reader.ts'
import { dotStuffed, openLine, type SmtpLine } from '../support/smtp-line.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const [rounds, perRound] = process.env['LETTERLOCK_LONG'] === '1' ? [10, 1000] : [2, 300]
const connections = 6
const accounts = ['ann', 'ben'].map((name) => ({
  address: `${name}@alpha.test`,
  password: `the password of ${name}`,
}))

/** Its own content, so that a message that came back whole proves itself. */
function composed(number: number): Buffer {
  const lines = Array.from({ length: 20 + (number % 60) }, (_, line) =>
    createHash('sha256').update(`${number}/${line}`).digest('base64'),
  )
  const head = `From: load@beta.test\r\nTo: crash@alpha.test\r\nMessage-ID: <crash-${number}@beta.test>\r\nSubject: ${number}\r\n`
  return Buffer.from(`${head}\r\n${lines.join('\r\n')}\r\n`)
}

/** What the sender knows. */
interface Books {
  readonly acknowledged: Set<number>
  /** Sent completely or in part without a reply; to be sent again. */
  readonly inFlight: Set<number>
  readonly waiting: number[]
}

/** Sends what waits over several connections until the server is gone, and kills it after `killAfter` acknowledgements. */
async function deliverAndKill(provider: Provider, books: Books, killAfter: number): Promise<void> {
  let acknowledged = 0
  let killed: Promise<void> | null = null
  const sender = async () => {
    let number: number | undefined
    let line: SmtpLine | null = null
    try {
      line = await openLine(provider.host, provider.ports.smtp)
      await line.say('', '220')
      await line.say('EHLO crash.test\r\n', '250')
      for (number = books.waiting.shift(); number !== undefined; number = books.waiting.shift()) {
        const { address } = accounts[number % accounts.length]!
        await line.say(`MAIL FROM:<load@beta.test>\r\nRCPT TO:<${address}>\r\nDATA\r\n`, '250', '250', '354')
        await line.say(dotStuffed(composed(number)), '250')
        books.acknowledged.add(number)
        acknowledged++
        if (acknowledged === killAfter) killed = provider.kill9()
      }
      line.end()
    } catch (error) {
      // Before the kill nothing may go wrong.
      if (killed === null) throw error
      line?.destroy()
      if (number === undefined) return
      books.inFlight.add(number)
      books.waiting.push(number)
    }
  }
  await Promise.all(Array.from({ length: connections }, sender))
  await killed
}

/** How often each message is there, over all accounts; each must be whole. */
async function found(provider: Provider): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  for (const { address: user, password } of accounts) {
    await using reader = await Reader.login({ host: provider.host, port: provider.ports.imaps, user, password })
    if ((await reader.count()) === 0) continue
    for (const message of await reader.fetch('1:*')) {
      const number = Number(/^Message-ID: <crash-(\d+)@/m.exec(message.toString())?.[1])
      const original = composed(number)
      assert.ok(message.subarray(message.length - original.length).equals(original), `message ${number} is not whole`)
      counts.set(number, (counts.get(number) ?? 0) + 1)
    }
  }
  return counts
}

function check(counts: ReadonlyMap<number, number>, books: Books): void {
  const lost = [...books.acknowledged].filter((number) => !counts.has(number))
  const doubled = [...counts].filter(([number, count]) => count > 1 && !books.inFlight.has(number))
  const invented = [...counts.keys()].filter((number) => !books.acknowledged.has(number) && !books.inFlight.has(number))
  assert.deepEqual({ lost, doubled, invented }, { lost: [], doubled: [], invented: [] })
}

describe('kill -9', () => {
  it(`loses nothing acknowledged in ${rounds} kills during ${rounds * perRound} deliveries`, async () => {
    await using directory = await temporaryDirectory('crash')
    await using provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts })
    const books: Books = { acknowledged: new Set(), inFlight: new Set(), waiting: [] }
    await provider.start()
    for (let round = 0; round < rounds; round++) {
      for (let number = 0; number < perRound; number++) books.waiting.push(round * perRound + number)
      await deliverAndKill(provider, books, 1 + Math.floor(Math.random() * (perRound - 1)))
      await provider.start()
      check(await found(provider), books)
    }
    await deliverAndKill(provider, books, Number.POSITIVE_INFINITY)
    assert.equal(books.acknowledged.size, rounds * perRound)
    check(await found(provider), books)
  })

  it('keeps submitted mail that waits for a next hop', needs('curl'), async () => {
    await using directory = await temporaryDirectory('crash')
    const [author] = accounts
    await using provider = await makeProvider({
      directory: directory.path,
      domain: 'alpha.test',
      accounts: [author!],
      // Nothing listens there, so the mail waits.
      settings: { 'relay.smarthost': '"127.0.0.1:1"' },
    })
    await provider.start()
    const message = Buffer.from(
      `From: ${author!.address}\r\nTo: carol@beta.test\r\nSubject: Waiting\r\n\r\nStill here.\r\n`,
    )
    const target = {
      host: provider.host,
      port: provider.ports.submissions,
      user: author!.address,
      password: author!.password,
      ca: provider.ca,
    }
    const ran = await curlSubmit(target, author!.address, ['carol@beta.test'], message)
    await provider.kill9()
    assert.equal(ran.code, 0, ran.output)
    await provider.start()
    const queue = await provider.json<{ recipients: { address: string }[] }[]>(['queue', 'list'])
    assert.deepEqual(
      queue.map((entry) => entry.recipients.map((recipient) => recipient.address)),
      [['carol@beta.test']],
    )
    const sent = await Reader.login({ ...target, port: provider.ports.imaps })
    await using reader = sent
    assert.match((await reader.command('STATUS Sent (MESSAGES)')).toString(), /MESSAGES 1\)/)
  })
})
