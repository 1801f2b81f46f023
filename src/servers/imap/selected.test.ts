import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { systemClock } from '#lib/clock.ts'
import type { Enabled } from './enabled.ts'
import { LargeContents } from './fetch/large-contents.ts'
import { MailboxImages } from './mailbox-image.ts'
import { MemoryShares } from './memory-shares.ts'
import { RecentMarks } from './recent.ts'
import { SelectedMailbox } from './selected.ts'

const ACCOUNT = 'a'
const ALL = { expunge: true, uid: false } as const
const LATER = { expunge: false, uid: false } as const

async function account(messages: number) {
  let coming = 1_000_000
  const store = createMemoryMailStore({ ...systemClock, now: () => coming })
  await store.create(ACCOUNT)
  const mail = await store.open(ACCOUNT, null)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const deliver = (flags: readonly string[] = [], at = 1_000_000) => {
    coming = at
    return store.append(ACCOUNT, 'INBOX', {
      content: Buffer.from('x'),
      summary: Buffer.from('s'),
      internalDate: 0,
      flags,
    })
  }
  for (let i = 0; i < messages; i++) await deliver()
  const recent = new RecentMarks(2_000_000)
  const images = new MailboxImages()
  const select = (readOnly = false, enabled: readonly Enabled[] = []) =>
    SelectedMailbox.open({
      mail,
      account: ACCOUNT,
      changes: store.changes,
      images,
      recent,
      enabled: new Set<Enabled>(enabled),
      mailbox: inbox,
      readOnly,
      contents: new LargeContents(new MemoryShares(1_000), ACCOUNT, 1_000),
    })
  return { store, mail, inbox, deliver, recent, select }
}

test('keywords without end are told a bounded number at a time, and each new one', async () => {
  const { mail, inbox, select } = await account(1)
  using mine = await select()
  let said = ''
  for (let round = 0; round < 60; round++) {
    const flags = Array.from({ length: 50 }, (_, index) => `k${round}-${index}`)
    await mail.setFlags(inbox, [1], { mode: 'replace', flags })
    said = await mine.catchUp(ALL)
  }
  assert.match(said, /FLAGS .* k59-49\)/)
  const [line] = said.split('\r\n')
  assert.ok(line!.split(' ').length < 2100)
})

test('news of others are told in order, expunges only when allowed', async () => {
  const { mail, inbox, deliver, select } = await account(4)
  using mine = await select()
  assert.equal(await mine.catchUp(ALL), '')
  await mail.setFlags(inbox, [1, 3], { mode: 'add', flags: ['\\Deleted', '$Later'] })
  await mail.expunge(inbox, [3])
  await deliver()
  assert.equal(
    await mine.catchUp(LATER),
    [
      '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Later)',
      '* 1 FETCH (FLAGS (\\Deleted $Later))',
      '* 5 EXISTS',
      '* 1 RECENT\r\n',
    ].join('\r\n'),
  )
  assert.ok(mine.isGone(3))
  assert.equal(await mine.catchUp(LATER), '')
  assert.equal(await mine.catchUp(ALL), '* 3 EXPUNGE\r\n')
  assert.deepEqual([...mine.view.uids], [1, 2, 4, 5])
  assert.equal(await mine.catchUp(ALL, true), '')
})

test('a message that came and went between is never told of', async () => {
  const { mail, inbox, deliver, select } = await account(1)
  using mine = await select()
  const { uid } = await deliver(['\\Deleted'])
  await mail.expunge(inbox, [uid])
  assert.equal(await mine.catchUp(ALL), '')
  await deliver()
  assert.equal(await mine.catchUp(ALL), '* 2 EXISTS\r\n* 1 RECENT\r\n')
})

test('own changes are not told twice', async () => {
  const { mail, inbox, select } = await account(3)
  using mine = await select()
  await mine.setFlags([2], { mode: 'add', flags: ['\\Seen'] })
  assert.equal(await mine.catchUp(ALL), '')
  await mail.setFlags(inbox, [1, 3], { mode: 'add', flags: ['\\Deleted'] })
  assert.equal(mine.expunged(await mail.expunge(inbox)), '* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n')
  assert.equal(await mine.catchUp(ALL), '')
})

test('a message is recent for the first session that may change the mailbox', async () => {
  const { deliver, select } = await account(2)
  using looking = await select(true)
  assert.equal(looking.view.recentCount, 0, 'delivered before the server started')
  await deliver()
  using first = await select()
  using second = await select()
  assert.deepEqual([first.view.recentCount, second.view.recentCount], [1, 0])
  await deliver()
  assert.equal(await looking.catchUp(ALL), '* 4 EXISTS\r\n* 1 RECENT\r\n', 'reading takes nothing away')
  assert.equal(await second.catchUp(ALL), '* 4 EXISTS\r\n* 1 RECENT\r\n')
  assert.equal(await first.catchUp(ALL), '* 4 EXISTS\r\n* 1 RECENT\r\n')
  assert.ok(second.view.isRecent(4) && !first.view.isRecent(4))
})

test('what arrived since the start is recent for the first who looks', async () => {
  const { deliver, select } = await account(2)
  await deliver([], 2_000_500)
  using mine = await select()
  assert.equal(mine.view.recentCount, 1)
})

test('however many have arrived, few are looked at to know which are recent', async () => {
  for (const [old, fresh] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [0, 1000],
    [1000, 0],
    [1000, 1],
    [1, 1000],
    [333, 667],
  ] as const) {
    const { mail, deliver, select } = await account(old)
    for (let i = 0; i < fresh; i++) await deliver([], 2_000_000)
    let asked = 0
    const { facts } = mail
    mail.facts = (mailbox, uids) => {
      asked += uids.length
      return facts.call(mail, mailbox, uids)
    }
    using mine = await select()
    assert.equal(mine.view.recentCount, fresh)
    assert.ok(asked <= 20 && (fresh > 0 || asked <= 1), `${asked} of ${old} and ${fresh}`)
  }
})

test('the store is asked once for each change, however many sessions wait', async () => {
  const { mail, inbox, deliver, select } = await account(3)
  let questions = 0
  const { changesSince } = mail
  mail.changesSince = (...question) => {
    questions++
    return changesSince.apply(mail, question)
  }
  const sessions = await Promise.all(Array.from({ length: 5 }, () => select(true)))
  for (const count of [1, 2, 3]) {
    await deliver()
    assert.ok(sessions.every(({ changed }) => changed))
    const told = await Promise.all(sessions.map((one) => one.catchUp(ALL)))
    assert.ok(told.every((one) => one.startsWith(`* ${3 + count} EXISTS`)))
    assert.equal(questions, count)
  }
  assert.ok(
    sessions.every(({ view }) => view.uids === sessions[0]!.view.uids),
    'they share one list',
  )
  await sessions[0]!.setFlags([1], { mode: 'add', flags: ['\\Flagged'] })
  const told = await Promise.all(sessions.map((one) => one.catchUp(ALL)))
  assert.deepEqual(told, ['', ...Array.from({ length: 4 }, () => '* 1 FETCH (FLAGS (\\Flagged))\r\n')])
  await mail.expunge(inbox)
  for (const one of sessions) one[Symbol.dispose]()
})

test('a store that fails is asked again when something else happens, and nothing is lost', async () => {
  const { mail, deliver, select } = await account(1)
  using mine = await select(true)
  const { changesSince } = mail
  mail.changesSince = async () => {
    throw new Error('the disk is tired')
  }
  await deliver()
  await assert.rejects(mine.catchUp(ALL), /tired/)
  assert.equal(mine.changed, false, 'or who waits would ask without end')
  mail.changesSince = changesSince
  await deliver()
  assert.equal(mine.changed, true)
  assert.match(await mine.catchUp(ALL), /^\* 3 EXISTS/)
})

test('a mailbox that was seen before is asked only for what is new', async () => {
  const { mail, inbox, deliver, select } = await account(3)
  const asked: (number | undefined)[] = []
  const { overview } = mail
  mail.overview = (mailbox, known) => {
    asked.push(known)
    return overview.call(mail, mailbox, known)
  }
  const uids = async () => {
    using session = await select(true)
    return [...session.view.uids]
  }
  assert.deepEqual(await uids(), [1, 2, 3])
  await deliver()
  await deliver(['\\Deleted'])
  await mail.expunge(inbox)
  assert.deepEqual(await uids(), [1, 2, 3, 4])
  await mail.setFlags(inbox, [2], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(inbox)
  assert.deepEqual(await uids(), [1, 3, 4])
  assert.equal(asked[0], undefined)
  assert.ok(asked[1]! > 0 && asked[2]! > asked[1]!)
  assert.equal(asked.length, 3)
})

/** Applies responses as a client does, which asks for the flags of every new message. */
function clientApplies(known: string[][], responses: string, fetched: (place: number) => readonly string[]): void {
  for (const line of responses.split('\r\n').filter((one) => one !== '')) {
    const [, number, what] = line.split(' ')
    if (what === 'EXPUNGE') known.splice(Number(number) - 1, 1)
    else if (what === 'EXISTS') while (known.length < Number(number)) known.push([...fetched(known.length)])
    else if (what === 'FETCH') {
      assert.ok(known[Number(number) - 1], line)
      const flags = /FLAGS \((.*)\)\)$/.exec(line)![1]!.split(' ')
      known[Number(number) - 1] = flags.filter((flag) => flag !== '' && flag !== '\\Recent')
    }
  }
}

test('two sessions that change one mailbox end up with the same picture, which is the true one', async () => {
  const step = fc.record({
    who: fc.constantFrom(0, 1),
    what: fc.constantFrom('deliver', 'flag', 'unflag', 'expunge', 'later', 'all'),
    place: fc.nat(6),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { mail, inbox, deliver, select } = await account(3)
      const sessions = [await select(), await select()]
      const pictures = sessions.map((one): string[][] => Array.from({ length: one.view.length }, () => []))
      for (const { who, what, place } of steps) {
        const session = sessions[who]!
        const rows = new Map((await mail.list(inbox)).map((row) => [row.uid, row.flags]))
        // A message that is gone already has an EXPUNGE under way.
        const hears = (responses: string) =>
          clientApplies(pictures[who]!, responses, (at) => rows.get(session.view.uidAt(at)) ?? [])
        const uid = session.view.length === 0 ? 0 : session.view.uidAt(place % session.view.length)
        if (what === 'deliver') await deliver()
        else if (what === 'flag' || what === 'unflag') {
          const mode = what === 'flag' ? 'add' : 'remove'
          const { rows } = await session.setFlags([uid], { mode, flags: ['\\Deleted'] })
          hears(session.tellFlags(rows, false))
        } else if (what === 'expunge') hears(session.expunged(await mail.expunge(inbox)))
        else hears(await session.catchUp(what === 'all' ? ALL : LATER))
        assert.equal(pictures[who]!.length, session.view.length)
      }
      const truth = await mail.list(inbox)
      for (const [index, session] of sessions.entries()) {
        clientApplies(pictures[index]!, await session.catchUp(ALL), (place) => truth[place]!.flags)
        assert.deepEqual(
          [...session.view.uids],
          truth.map(({ uid }) => uid),
        )
        assert.deepEqual(
          pictures[index],
          truth.map(({ flags }) => flags),
        )
        session[Symbol.dispose]()
      }
    }),
    { numRuns: 200 },
  )
})
