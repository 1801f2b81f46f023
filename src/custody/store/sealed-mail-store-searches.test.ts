import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TextQuery } from '#formats/message/message-text.ts'
import { systemClock } from '#lib/clock.ts'
import { type Fields, type Logger, silentLogger } from '#lib/log.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { newMessage } from './contract-bench.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { Searches } from './sealed-mail-store-searches.ts'
import type { AccountSearch, SearchingSession } from './sealed-mail-store-searching.ts'
import { SessionSearch } from './sealed-mail-store-session-search.ts'

const query: TextQuery = { where: 'body', field: null, text: 'two words' }

async function sessionOf(account: string, messages: number): Promise<SearchingSession> {
  const store = createMemoryMailStore()
  await store.create(account)
  for (let number = 0; number < messages; number++)
    await store.append(account, 'INBOX', newMessage(`two words ${number}`))
  const mail = await store.open(account, null)
  const contents = async () => (await mail.contents.tally()).length
  const quiet = async () => {}
  return { account, searchable: mail.searchable, mail, contents, quiet, keys: async () => [Buffer.alloc(32, 7)] }
}

async function inboxOf({ searchable }: SearchingSession): Promise<number> {
  const [placed] = await searchable.placed({ first: 1, last: 1 }, 1)
  return placed!.mailbox
}

async function found(search: AccountSearch, session: SearchingSession): Promise<readonly [yes: number, open: number]> {
  const [{ yes, open }] = (await search.textMatches(session.searchable, await inboxOf(session), [query])) as [
    { yes: Uint32Array; open: Uint32Array },
  ]
  return [yes.length, open.length]
}

async function indexed(search: AccountSearch, session: SearchingSession, messages: number): Promise<void> {
  search.wake()
  while ((await found(search, session))[0] < messages) await nextTurn()
  await search.settled()
}

test('indexes keep within the bounds of memory, and are read back when they are needed', async () => {
  await using searches = new Searches({ clock: systemClock, logger: silentLogger }, 1)
  const session = await sessionOf('alice', 5)
  const search = await searches.join(session)
  await indexed(search, session, 5)
  while (search.weight > 0) {
    await searches.used('alice')
    await nextTurn()
  }
  assert.deepEqual(await found(search, session), [5, 0])
  assert.ok(search.weight > 0)
})

test('an index that nobody searches gives its memory back', async () => {
  const clock = createFakeClock()
  await using searches = new Searches({ clock, logger: silentLogger })
  const session = await sessionOf('alice', 5)
  const search = await searches.join(session)
  await indexed(search, session, 5)
  await searches.used('alice')
  assert.ok(search.weight > 0)
  while (search.weight > 0) {
    await clock.advance(11 * 60_000)
    await nextTurn()
  }
})

test('an index stays with whoever comes while the last one goes', async () => {
  await using searches = new Searches({ clock: systemClock, logger: silentLogger })
  const session = await sessionOf('alice', 2)
  const search = await searches.join(session)
  const next = { ...session }
  const [, joined] = await Promise.all([searches.leave(session), searches.join(next)])
  assert.equal(joined, search)
  const left = searches.leave(next)
  await nextTurn()
  const last = { ...session }
  const anew = await searches.join(last)
  await left
  assert.notEqual(anew, search)
  await indexed(anew, last, 2)
})

test('new mail is indexed soon after it came', async () => {
  const clock = createFakeClock()
  await using searches = new Searches({ clock, logger: silentLogger })
  const session = await sessionOf('alice', 3)
  const search = await searches.join(session)
  assert.deepEqual(await found(search, session), [0, 3])
  searches.changed('alice')
  await nextTurn()
  await clock.advance(6000)
  while ((await found(search, session))[0] < 3) await nextTurn()
})

test('two processes make one index: one of them at a time, and the other one goes on where that ended', async () => {
  const clock = createFakeClock()
  await using searches = new Searches({ clock, logger: silentLogger })
  const session = await sessionOf('alice', 3)
  const search = await searches.join(session)
  {
    using other = await session.searchable.files.claim()
    assert.ok(other)
    search.wake()
    while (clock.waiting === 0) await nextTurn()
    assert.deepEqual(await found(search, session), [0, 3], 'whoever searches waits for nobody')
    assert.equal((await session.searchable.files.names()).length, 0)
  }
  await clock.advance(31_000)
  while (!(await session.searchable.files.names()).includes('manifest')) await nextTurn()
  await using others = new Searches({ clock, logger: silentLogger })
  const theirs = await others.join({ ...session })
  assert.deepEqual(await found(theirs, session), [3, 0])
})

test('where files of the index cannot be read, messages are opened instead, and the log says so once without a word of it', async () => {
  const lines: string[] = []
  const write = (fields: Fields, msg: string) => void lines.push(`${msg} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: write, info: write, warn: write, error: write, with: () => logger }
  await using searches = new Searches({ clock: systemClock, logger })
  const session = await sessionOf('alice', 5)
  const read = async () => {
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
  }
  Object.assign(session.searchable.files, { read })
  await using search = new SessionSearch(searches, session, Promise.resolve())
  for (let turn = 0; turn < 2; turn++) {
    const [matches] = await search.textMatches(await inboxOf(session), [query])
    assert.deepEqual([matches!.yes.length, matches!.open.length], [0, 5])
  }
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /^the search index cannot be used/)
  assert.doesNotMatch(lines[0]!, /two|words/)
})
