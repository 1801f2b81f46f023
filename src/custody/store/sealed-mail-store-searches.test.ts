import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import type { TextQuery } from '#formats/message/message-text.ts'
import { systemClock } from '#lib/clock.ts'
import { type Fields, type Logger, silentLogger } from '#lib/log.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { newMessage } from './contract-bench.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { matchingUids } from './read-search.ts'
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

/** The session, and how many contents it has opened. */
function counting(session: SearchingSession) {
  const opened = { count: 0 }
  const messages: SearchingSession['mail']['messages'] = (mailbox, uids, wanted) => {
    opened.count += uids.length
    return session.mail.messages(mailbox, uids, wanted)
  }
  return { opened, counted: { ...session, mail: { messages } } }
}

const NEVER = new Promise<void>(() => {})
const uidsTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

test('what a search opens is indexed with it, and opened once', async () => {
  await using searches = new Searches({ clock: createFakeClock(), logger: silentLogger })
  const { opened, counted } = counting(await sessionOf('alice', 150))
  await using search = new SessionSearch(searches, counted, NEVER)
  const inbox = await inboxOf(counted)
  const [before] = await search.textMatches(inbox, [query])
  assert.equal(before!.open.length, 150)
  const last = { ...query, text: 'words 149' }
  assert.deepEqual(await search.verify(inbox, [...before!.open], last), [150])
  assert.equal(opened.count, 150)
  assert.deepEqual(await search.verify(inbox, [...before!.open].reverse(), query), uidsTo(150).reverse())
  const [after] = await search.textMatches(inbox, [last])
  assert.deepEqual([[...after!.yes], [...after!.open]], [[150], []])
  assert.equal(opened.count, 150)
})

test('a search and the index beside it open few messages twice', async () => {
  await using searches = new Searches({ clock: createFakeClock(), logger: silentLogger })
  const { opened, counted } = counting(await sessionOf('alice', 300))
  const search = await searches.join(counted)
  const inbox = await inboxOf(counted)
  search.wake()
  const found: number[] = []
  for (let at = 0; at < 300; at += 60) {
    const uids = uidsTo(300).slice(at, at + 60)
    found.push(
      ...((await search.verify(counted, { mailbox: inbox, uids, query })) ??
        (await matchingUids(counted.mail, inbox, uids, query))),
    )
  }
  assert.deepEqual(found, uidsTo(300))
  await indexed(search, counted, 300)
  assert.ok(opened.count <= 300 + 2 * 64, `${opened.count} were opened`)
})

test('where another process makes the index, a search reads and waits for nobody', async () => {
  await using searches = new Searches({ clock: createFakeClock(), logger: silentLogger })
  const session = await sessionOf('alice', 5)
  await using search = new SessionSearch(searches, session, NEVER)
  const inbox = await inboxOf(session)
  using other = await session.searchable.files.claim()
  assert.ok(other)
  assert.deepEqual(await search.verify(inbox, uidsTo(5), query), uidsTo(5))
  const [matches] = await search.textMatches(inbox, [query])
  assert.equal(matches!.open.length, 5)
})

test('a search that opens finds what reading finds, whatever is indexed by then', async () => {
  const step = fc.oneof(
    fc.record({ append: fc.constantFrom('one', 'two', 'one two', 'x'.repeat(40)) }),
    fc.record({ remove: fc.integer({ min: 1, max: 12 }) }),
    fc.record({
      verify: fc.uniqueArray(fc.integer({ min: 1, max: 12 })),
      text: fc.constantFrom('one', 'two', 'ne t', ''),
    }),
    fc.constant({ wake: true }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const store = createMemoryMailStore()
      await store.create('alice')
      const mail = await store.open('alice', null)
      const inbox = (await mail.mailbox('INBOX'))!.id
      const session = { ...(await sessionOf('bob', 0)), account: 'alice', searchable: mail.searchable, mail }
      await using searches = new Searches({ clock: createFakeClock(), logger: silentLogger })
      await using search = new SessionSearch(searches, session, NEVER)
      for (const one of steps)
        if ('append' in one) await mail.append(inbox, newMessage(one.append))
        else if ('remove' in one) await mail.remove(inbox, [one.remove])
        else if ('wake' in one) (await searches.join(session)).wake()
        else {
          const asked = { ...query, text: one.text }
          const expected = await matchingUids(mail, inbox, one.verify, asked)
          assert.deepEqual(await search.verify(inbox, one.verify, asked), expected)
        }
    }),
    { numRuns: 50 },
  )
})
