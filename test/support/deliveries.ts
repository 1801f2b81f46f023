/**
 * Deliveries that keep books: what was acknowledged, what was in flight when the server went away, and afterwards what is there. For
 * journeys that end a server in the middle of its work.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Provider, ProviderAccount } from './provider.ts'
import { Reader } from './reader.ts'
import { dotStuffed, openLine, type SmtpLine } from './smtp-line.ts'

const connections = 6

/** Its own content, so that a message that came back whole proves itself. */
function composed(number: number): Buffer {
  const lines = Array.from({ length: 20 + (number % 60) }, (_, line) =>
    createHash('sha256').update(`${number}/${line}`).digest('base64'),
  )
  const head = `From: load@beta.test\r\nTo: crash@alpha.test\r\nMessage-ID: <crash-${number}@beta.test>\r\nSubject: ${number}\r\n`
  return Buffer.from(`${head}\r\n${lines.join('\r\n')}\r\n`)
}

/** What the sender knows. */
export interface Books {
  readonly accounts: readonly ProviderAccount[]
  readonly acknowledged: Set<number>
  /** Sent completely or in part without a reply; to be sent again. */
  readonly inFlight: Set<number>
  readonly waiting: number[]
}

export function openBooks(accounts: readonly ProviderAccount[]): Books {
  return { accounts, acknowledged: new Set(), inFlight: new Set(), waiting: [] }
}

/** Adds so many new messages to those that wait. */
export function addMessages(books: Books, count: number): void {
  const first = books.acknowledged.size + books.waiting.length
  for (let number = first; number < first + count; number++) books.waiting.push(number)
}

export interface End {
  /** After so many acknowledgements... */
  readonly after: number
  /** ...this ends the server. */
  readonly end: () => Promise<void>
}

/** Sends what waits over several connections, all of it or until the server has ended. */
export async function deliver(provider: Provider, books: Books, end?: End): Promise<void> {
  let acknowledged = 0
  let ended: Promise<void> | null = null
  const sender = async () => {
    let number: number | undefined
    let line: SmtpLine | null = null
    try {
      line = await openLine(provider.host, provider.ports.smtp)
      await line.say('', '220')
      await line.say('EHLO crash.test\r\n', '250')
      for (number = books.waiting.shift(); number !== undefined; number = books.waiting.shift()) {
        const { address } = books.accounts[number % books.accounts.length]!
        await line.say(`MAIL FROM:<load@beta.test>\r\nRCPT TO:<${address}>\r\nDATA\r\n`, '250', '250', '354')
        await line.say(dotStuffed(composed(number)), '250')
        books.acknowledged.add(number)
        acknowledged++
        if (acknowledged === end?.after) ended = end.end()
      }
      line.end()
    } catch (error) {
      // Before the end nothing may go wrong.
      if (ended === null) throw error
      line?.destroy()
      if (number === undefined) return
      books.inFlight.add(number)
      books.waiting.push(number)
    }
  }
  await Promise.all(Array.from({ length: connections }, sender))
  await ended
}

/** How often each message is there, over all accounts; each must be whole. */
async function found(provider: Provider, accounts: readonly ProviderAccount[]): Promise<Map<number, number>> {
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

/** Reads all accounts: nothing acknowledged is missing, nothing is there twice but what was in flight, nothing else is there. */
export async function checkBooks(provider: Provider, books: Books): Promise<void> {
  const counts = await found(provider, books.accounts)
  const lost = [...books.acknowledged].filter((number) => !counts.has(number))
  const doubled = [...counts].filter(([number, count]) => count > 1 && !books.inFlight.has(number))
  const invented = [...counts.keys()].filter((number) => !books.acknowledged.has(number) && !books.inFlight.has(number))
  assert.deepEqual({ lost, doubled, invented }, { lost: [], doubled: [], invented: [] })
}
