import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, Uid } from '#custody/store/mail-store.ts'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { silentLogger } from '#lib/log.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { ImapError } from '../imap-error.ts'
import type { SearchGround } from './search-ground.ts'
import { matchingPlaces, searchMailbox } from './search-mailbox.ts'

const COUNT = 20_000
const SEEN: SearchKey = { kind: 'flag', flag: '\\Seen', set: true }
const BODY: SearchKey = { kind: 'body', text: 'x' }

/** Every tenth message is seen; no index knows anything, and every message has an x. What is asked is noted. */
function ground(goOn: () => void = () => {}): { ground: SearchGround; rows: Uid[]; opened: Uid[]; indexed: number[] } {
  const rows: Uid[] = []
  const opened: Uid[] = []
  const indexed: number[] = []
  const mail = {
    rows: async (_: number, uids: readonly Uid[]) => {
      for (const uid of uids) rows.push(uid)
      const row = (uid: Uid) => ({
        uid,
        modseq: uid,
        internalDate: 0,
        flags: uid % 10 === 0 ? ['\\SEEN'] : [],
        paddedSize: 9,
      })
      return uids.map((uid) => (uid === 30 ? null : row(uid)))
    },
    textMatches: async (_: number, queries: readonly unknown[]) => {
      indexed.push(queries.length)
      return queries.map(() => ({
        yes: new Uint32Array(),
        open: Uint32Array.from({ length: COUNT }, (_, at) => at + 1),
      }))
    },
    verifyText: async (_: number, uids: readonly Uid[]) => {
      opened.push(...uids)
      return uids
    },
  } as unknown as AccountMail
  const view = { length: COUNT, lastUid: COUNT, uidAt: (place: number) => place + 1, isRecent: () => false }
  const searched = { mailbox: { mail, id: 1, view }, saved: [], now: 0, logger: silentLogger, goOn }
  return { ground: searched, rows, opened, indexed }
}

test('who has enough stops the search', async () => {
  for (const backwards of [false, true]) {
    const { ground: searched, rows } = ground()
    for await (const page of searchMailbox(searched, SEEN, backwards)) {
      assert.equal(page.at(backwards ? -1 : 0), backwards ? COUNT - 1 : 9)
      break
    }
    assert.ok(rows.length < 1000, `${rows.length} rows`)
  }
})

test('what flags decide is not opened, and the index is asked once', async () => {
  const { ground: searched, opened, indexed } = ground()
  const key: SearchKey = { kind: 'and', keys: [BODY, SEEN, { kind: 'not', key: { kind: 'text', text: 'x' } }, BODY] }
  assert.deepEqual(await matchingPlaces(searched, key), [])
  assert.deepEqual(indexed, [2], 'both texts in one question')
  assert.ok(opened.every((uid) => uid % 10 === 0))
  assert.equal(opened.length, 2 * (COUNT / 10 - 1), 'each for each text, but for the one that is gone')
})

test('what numbers decide asks nobody', async () => {
  const { ground: searched, rows, indexed } = ground()
  const set = [{ first: 3, last: 5 }]
  assert.deepEqual(await matchingPlaces(searched, { kind: 'uid', set }), [2, 3, 4])
  assert.deepEqual(
    await matchingPlaces(searched, { kind: 'or', keys: [{ kind: 'all' }, BODY] }).then((all) => all.length),
    COUNT,
  )
  assert.deepEqual([rows, indexed], [[], []])
})

test('a message that is gone matches neither a key nor its contrary', async () => {
  const { ground: searched } = ground()
  const gone: SearchKey = { kind: 'uid', set: [{ first: 30, last: 30 }] }
  assert.deepEqual(await matchingPlaces(searched, { kind: 'and', keys: [gone, SEEN] }), [])
  assert.deepEqual(await matchingPlaces(searched, { kind: 'and', keys: [gone, { kind: 'not', key: SEEN }] }), [])
})

test('a search ends when nobody waits for it', async () => {
  let asked = 0
  const { ground: searched, opened } = ground(() => {
    if (++asked === 3) throw new ConnectionOver()
  })
  await assert.rejects(matchingPlaces(searched, BODY), ConnectionOver)
  assert.ok(opened.length < 300, `${opened.length} opened`)
})

test('a search beyond reason is refused', async () => {
  const many = (count: number, one: (number: number) => SearchKey): SearchKey => ({
    kind: 'or',
    keys: Array.from({ length: count }, (_, number) => one(number)),
  })
  const isLimit = (error: unknown) => error instanceof ImapError && error.code === 'LIMIT'
  await assert.rejects(
    matchingPlaces(
      ground().ground,
      many(201, (number) => ({ kind: 'body', text: `${number}` })),
    ),
    isLimit,
  )
  await assert.rejects(
    matchingPlaces(
      ground().ground,
      many(5001, () => SEEN),
    ),
    isLimit,
  )
})
