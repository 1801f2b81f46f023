/**
 * kill -9 of all processes at random moments while mail comes in: every acknowledged message is there once the server runs again, and
 * only what was in flight at the kill may be there twice (its sender has to send it again, RFC 5321 §4.1.1.4 and §6.1).
 *
 * The quick form runs always; `LETTERLOCK_LONG=1` makes it 10,000 deliveries with ten kills.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addMessages, checkBooks, deliver, openBooks } from '../support/deliveries.ts'
import { needs } from '../support/needs.ts'
import { curlSubmit } from '../support/peers/curl.ts'
import { makeProvider } from '../support/provider.ts'
import { Reader } from '../support/reader.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const [rounds, perRound] = process.env['LETTERLOCK_LONG'] === '1' ? [10, 1000] : [2, 300]
const accounts = ['ann', 'ben'].map((name) => ({
  address: `${name}@alpha.test`,
  password: `the password of ${name}`,
}))

describe('kill -9', () => {
  it(`loses nothing acknowledged in ${rounds} kills during ${rounds * perRound} deliveries`, async () => {
    await using directory = await temporaryDirectory('crash')
    await using provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts })
    const books = openBooks(accounts)
    await provider.start()
    for (let round = 0; round < rounds; round++) {
      addMessages(books, perRound)
      await deliver(provider, books, { after: 1 + Math.floor(Math.random() * (perRound - 1)), end: provider.kill9 })
      await provider.start()
      await checkBooks(provider, books)
    }
    await deliver(provider, books)
    assert.equal(books.acknowledged.size, rounds * perRound)
    await checkBooks(provider, books)
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
