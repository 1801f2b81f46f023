/** Searching a sealed mailbox: 500 random queries find what brute force finds in the clear messages, while the index is built and after. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Command } from '#formats/imap/command.ts'
import { writeCommand } from '#formats/imap/command-writer.ts'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { makeProvider } from '../../support/provider.ts'
import { Reader } from '../../support/reader.ts'
import { searchCorpus } from '../../support/search-corpus.ts'
import { bruteForce, type SearchModel, searchKeys } from '../../support/search-model.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const COUNT = 250
const QUERIES = 500
const DAY = 86_400_000
const USER = 'ada@alpha.test'
const PASSWORD = 'correct horse'

/** What stands behind the tag. */
function say(reader: Reader, command: Command): Promise<Buffer> {
  const octets = Buffer.concat([...writeCommand('', command, true).chunks])
  return reader.command(octets.subarray(1, -2))
}

const search = (uid: boolean, key: SearchKey, saved = false): Command => ({
  kind: 'search',
  uid,
  charset: 'UTF-8',
  return: saved ? ['save'] : null,
  partial: null,
  key,
})

async function found(reader: Reader, key: SearchKey): Promise<number[]> {
  const answer = (await say(reader, search(true, key))).toString('latin1')
  const line = /^\* SEARCH(.*)\r$/m.exec(answer) ?? assert.fail(answer)
  return line[1]!
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
}

/** By UID, in days since the epoch: midnight may come while mail comes in. */
async function daysOfSaving(reader: Reader): Promise<ReadonlyMap<number, number>> {
  const answer = (await reader.command('FETCH 1:* (UID SAVEDATE)')).toString('latin1')
  const all = answer.matchAll(/^\* \d+ FETCH \(UID (\d+) SAVEDATE "([^ ]+) [^"]*"\)\r$/gm)
  return new Map(Array.from(all, ([, uid, day]) => [Number(uid), Date.parse(`${day} UTC`) / DAY]))
}

describe('searching sealed mail', () => {
  it('finds what brute force finds, while the index is built and after', { timeout: 600_000 }, async () => {
    await using directory = await temporaryDirectory('search')
    await using provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
    await provider.start()
    await provider.addAccount({ address: USER, password: PASSWORD })
    const login = () =>
      Reader.login({ host: provider.host, port: provider.ports.imaps, user: USER, password: PASSWORD })
    await using reader = await login()
    const corpus = searchCorpus(COUNT, 2)
    const messages = corpus.map(({ octets, flags, internalDate }) => ({
      content: octets,
      flags,
      internalDate,
      utf8: false,
    }))
    for (const message of messages) await say(reader, { kind: 'append', mailbox: 'INBOX', messages: [message] })
    await reader.command('SELECT INBOX')
    const gone = corpus.flatMap((_, index) => (index % 9 === 4 ? [index + 1] : []))
    // Those that are not to go must not be \\Deleted meanwhile.
    await reader.command('STORE 1:* -FLAGS.SILENT (\\Deleted)')
    await reader.command(`UID STORE ${gone.join(',')} +FLAGS.SILENT (\\Deleted)`)
    await reader.command('EXPUNGE')
    const savedDays = await daysOfSaving(reader)
    const left = corpus.flatMap((message, index) => {
      const flags = message.flags.filter((flag) => flag !== '\\Deleted')
      const uid = index + 1
      return gone.includes(uid) ? [] : [{ ...message, flags, uid, modseq: 0, savedDay: savedDays.get(uid)! }]
    })
    const saved = left.filter((_, place) => place % 3 === 0).map(({ uid }) => uid)
    const model: SearchModel = { messages: left, saved, now: 0 }
    const set = saved.map((uid) => ({ first: uid, last: uid }))
    let hits = 0
    const compare = async (one: Reader, queries: readonly SearchKey[]) => {
      await say(one, search(true, { kind: 'uid', set }, true))
      for (const key of queries) {
        const expected = bruteForce(model, key).map((place) => left[place]!.uid)
        assert.deepEqual(await found(one, key), expected, JSON.stringify(key))
        if (expected.length > 0 && expected.length < left.length) hits++
      }
    }
    const queries = fc.sample(searchKeys(COUNT), { numRuns: QUERIES, seed: 3 })
    await compare(reader, queries.slice(0, QUERIES / 2))
    // Another day: what was indexed is read again.
    await provider.stop()
    await provider.start()
    await using again = await login()
    await again.command('EXAMINE INBOX')
    await compare(again, queries.slice(QUERIES / 2))
    const sent = left.map((message) => message.sent?.[0] ?? message.internalDate)
    const byDate = left.map((_, place) => place).sort((a, b) => sent[b]! - sent[a]! || a - b)
    const sorted = (await again.command('UID SORT (REVERSE DATE) UTF-8 ALL')).toString('latin1')
    assert.match(sorted, new RegExp(`^\\* SORT ${byDate.map((place) => left[place]!.uid).join(' ')}\r\n`))
    const threads = (await again.command('UID THREAD REFERENCES UTF-8 ALL')).toString('latin1')
    const threaded = threads.split('\r\n')[0]!.match(/\d+/g)!.map(Number)
    assert.deepEqual(
      threaded.sort((a, b) => a - b),
      left.map(({ uid }) => uid),
    )
    assert.ok(hits > QUERIES / 3, `${hits} queries found some messages and not all`)
  })
})
