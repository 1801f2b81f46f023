import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { systemClock } from '#lib/clock.ts'
import { type Fields, type Logger, silentLogger } from '#lib/log.ts'
import { newMessage } from './contract-bench.ts'
import { contract } from './mail-store.contract.ts'
import { KeysNeeded, MessageUnreadable } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { readingKeys, sealingOf } from './sealed-keys.contract.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'

const ALICE = 'alice0000000000000000001'

contract('the sealed mail store over memory', async () => {
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: sealingOf,
    logger: silentLogger,
    clock: systemClock,
    indexesTexts: true,
  })
  return { store, keys: readingKeys, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
})

function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const print = (_: Fields, msg: string) => void lines.push(msg)
  const logger: Logger = { debug: print, info: print, warn: print, error: print, with: () => logger }
  return { logger, lines }
}

async function setUp() {
  const { logger, lines } = listening()
  const inner = createMemoryMailStore()
  const store = createSealedMailStore(inner, { sealing: sealingOf, logger, clock: systemClock })
  await store.create(ALICE)
  const raw = await inner.open(ALICE, null)
  return { inner, store, raw, lines }
}

const text = 'Subject: Ledger\r\nFrom: a@a.test\r\n\r\nThe body.\r\n'
const mail = (subject = 'Ledger') => {
  const content = Buffer.from(text.replace('Ledger', subject))
  return newMessage(subject, { content, summary: encodeSummary(summarize(content)) })
}

test('what is stored is an OpenPGP message to the certificate, with nothing readable in it', async () => {
  const { store, raw } = await setUp()
  const { mailbox, uid } = await store.append(ALICE, 'INBOX', mail())
  const sealed = (await raw.read(mailbox, uid))!
  const [parts] = await raw.parts(mailbox, [uid])
  for (const octets of [sealed, parts!.summary!]) assert.ok(!Buffer.from(octets).includes('Ledger'))
  const [pkesk] = splitMessage(sealed).pkesks
  const sessionKey = (await readingKeys(ALICE).sessionKeys([pkesk!]))[0]!
  assert.equal(Buffer.from(unseal(sealed, { cipher: sessionKey[0]!, key: sessionKey.subarray(1) })).toString(), text)
})

test('sizes in clear are rounded: a message one octet longer looks the same', async () => {
  const { store, raw } = await setUp()
  for (const size of [3000, 3001, 20_000, 20_001])
    await store.append(ALICE, 'INBOX', newMessage('x', { content: randomBytes(size) }))
  const { mailbox } = await store.append(ALICE, 'INBOX', mail())
  const sizes = (await raw.list(mailbox)).map((row) => row.paddedSize)
  assert.equal(sizes[0], sizes[1])
  assert.equal(sizes[2], sizes[3])
})

test('a message costs one public-key operation in its life', async () => {
  const { store } = await setUp()
  for (let i = 0; i < 5; i++) await store.append(ALICE, 'INBOX', mail(`m${i}`))
  const keys = readingKeys(ALICE)
  {
    await using session = await store.open(ALICE, keys)
    const inbox = (await session.mailboxes()).find(({ name }) => name === 'INBOX')!
    await session.summaries(inbox.id, [1, 2, 3, 4, 5])
  }
  const before = keys.operations
  assert.ok(before >= 5)
  await using session = await store.open(ALICE, keys)
  const inbox = (await session.mailboxes()).find(({ name }) => name === 'INBOX')!
  assert.equal((await session.summaries(inbox.id, [1, 2, 3, 4, 5])).length, 5)
  assert.match(Buffer.from((await session.read(inbox.id, 4))!).toString(), /m3/)
  assert.equal(keys.operations, before)
})

test('a session with keys puts every waiting summary into the index by itself', async () => {
  const { store, raw } = await setUp()
  for (let i = 0; i < 150; i++) await store.append(ALICE, i % 3 ? 'INBOX' : 'Archive', mail(`m${i}`))
  const mailboxes = await raw.mailboxes()
  const waiting = async () =>
    (await Promise.all(mailboxes.map(({ id }) => raw.waiting(id, null, 1000)))).reduce((n, one) => n + one.length, 0)
  assert.equal(await waiting(), 150)
  await using _session = await store.open(ALICE, readingKeys(ALICE))
  while ((await waiting()) > 0) await new Promise((resolve) => setImmediate(resolve))
  const inbox = mailboxes.find(({ name }) => name === 'INBOX')!
  const parts = (await raw.parts(inbox.id, [1, 64, 100])).map((one) => one!)
  assert.ok(parts.every(({ page, summary }) => page !== null && !summary))
  assert.ok(new Set(parts.map(({ page }) => page)).size <= 2, 'messages share pages')
  const pages = await raw.pages.read(parts.map(({ page }) => page!))
  assert.ok(
    [...pages.values()].every((page) => page.byteLength % 512 === 29),
    'sizes of pages are rounded',
  )
})

test('what is asked for is opened before what waits', async () => {
  const { store, raw } = await setUp()
  for (let i = 0; i < 300; i++) await store.append(ALICE, 'INBOX', mail(`m${i}`))
  const keys = readingKeys(ALICE)
  await using session = await store.open(ALICE, keys)
  const inbox = (await session.mailboxes()).find(({ name }) => name === 'INBOX')!
  assert.match(Buffer.from((await session.summaries(inbox.id, [1]))[0]!).toString(), /m0/)
  assert.ok((await raw.waiting(inbox.id, null, 1000)).length >= 150, 'the rest still waits')
})

test('without keys the mailbox can be listed and kept in order, and nothing be read', async () => {
  const { store } = await setUp()
  const { mailbox, uid } = await store.append(ALICE, 'INBOX', mail())
  await using locked = await store.open(ALICE, null)
  assert.equal((await locked.list(mailbox)).length, 1)
  await assert.rejects(locked.read(mailbox, uid), KeysNeeded)
  await assert.rejects(locked.summaries(mailbox, [uid]), KeysNeeded)
  const archive = (await locked.mailboxes()).find(({ name }) => name === 'Archive')!.id
  const moved = await locked.move(mailbox, [uid], archive)
  await using session = await store.open(ALICE, readingKeys(ALICE))
  assert.equal(Buffer.from((await session.read(archive, moved.uids[0]![1]))!).toString(), text)
})

test('a message is not stored when there is no key to seal it to', async () => {
  const inner = createMemoryMailStore()
  const failing = async () => {
    throw new Error('no certificate')
  }
  await using store = createSealedMailStore(inner, { sealing: failing, logger: silentLogger, clock: systemClock })
  await store.create(ALICE)
  await assert.rejects(store.append(ALICE, 'INBOX', mail()), /no certificate/)
  assert.equal((await store.quota(ALICE)).used, 0)
})

test('mail sealed to a lost key is listed, and says so when read', async () => {
  const { inner, store } = await setUp()
  const other = await generateKeys({ userId: '<old@a.test>', algorithm: 'curve25519', created: new Date(0) })
  const sealing = async () => ({ certificate: other.certificate, device: null })
  const old = createSealedMailStore(inner, { sealing, logger: silentLogger, clock: systemClock })
  const { mailbox } = await old.append(ALICE, 'INBOX', mail('old'))
  await store.append(ALICE, 'INBOX', mail('new'))
  await using session = await store.open(ALICE, readingKeys(ALICE))
  const [lost, found] = await session.summaries(mailbox, [1, 2])
  assert.equal(lost, null)
  assert.ok(found)
  await assert.rejects(session.read(mailbox, 1), (error: Error) => {
    assert.ok(error instanceof MessageUnreadable)
    assert.match(error.message, /key that is not here/)
    return true
  })
  // Once the old key is back, so is the message.
  const keys = openSecretKeys(other.secret)
  const relinked = readingKeys(ALICE)
  await using later = await store.open(ALICE, {
    ...relinked,
    sessionKeys: async (pkesks) =>
      pkesks.map((pkesk) => {
        const key = sessionKeyOf(keys, pkesk)
        return key && Buffer.concat([Buffer.of(key.cipher), key.key])
      }),
  })
  assert.match(Buffer.from((await later.read(mailbox, 1))!).toString(), /old/)
})

/** Two messages in one page, and a way to put other octets in its place. */
async function folded() {
  const made = await setUp()
  const { mailbox } = await made.store.append(ALICE, 'INBOX', mail('first'))
  await made.store.append(ALICE, 'INBOX', mail('second'))
  {
    await using session = await made.store.open(ALICE, readingKeys(ALICE))
    await session.summaries(mailbox, [1, 2])
  }
  const parts = (await made.raw.parts(mailbox, [1, 2])).map((one) => one!)
  const contents = parts.map(({ content }) => content)
  const page = Buffer.from((await made.raw.pages.read([parts[0]!.page!])).get(parts[0]!.page!)!)
  const forge = async (octets: Uint8Array, of = contents) => {
    const from = [...new Set((await made.raw.parts(mailbox, [1, 2])).map((one) => one!.page))]
    await made.raw.pages.keep([{ contents: of, from, seal: () => octets }])
  }
  return { ...made, mailbox, contents, page, forge }
}

const subjects = (octets: readonly (Uint8Array | null)[]) =>
  octets.map((one) => one && /first|second/.exec(Buffer.from(one).toString())?.[0])

test('a page in the place of another is refused and made again from the contents, with one line in the log', async () => {
  const { store, mailbox, page, forge, lines } = await folded()
  await forge(page)
  await using session = await store.open(ALICE, readingKeys(ALICE))
  assert.deepEqual(subjects(await session.summaries(mailbox, [1, 2])), ['first', 'second'])
  assert.deepEqual(lines, ['a page of the index was missing or damaged'])
  await session[Symbol.asyncDispose]()
  await using later = await store.open(ALICE, readingKeys(ALICE))
  assert.deepEqual(subjects(await later.summaries(mailbox, [1, 2])), ['first', 'second'])
  assert.equal(lines.length, 1, 'what was made again is kept')
})

test('a page with any octet changed is refused and made again', async () => {
  const { store, mailbox, page, forge, lines } = await folded()
  for (const at of [5, 13, page.byteLength - 1]) {
    const changed = Buffer.from(page)
    changed[at]! ^= 1
    await forge(changed)
    await using session = await store.open(ALICE, readingKeys(ALICE))
    assert.deepEqual(subjects([await session.read(mailbox, 1)]), ['first'])
  }
  assert.equal(lines.length, 3)
})

test('a page of a newer version is left alone, and read around', async () => {
  const { store, raw, mailbox, page, forge, lines } = await folded()
  const newer = Buffer.from(page)
  newer[0] = 2
  await forge(newer)
  const [before] = await raw.parts(mailbox, [1])
  for (let session = 1; session <= 2; session++) {
    await using opened = await store.open(ALICE, readingKeys(ALICE))
    assert.deepEqual(subjects(await opened.summaries(mailbox, [1, 2])), ['first', 'second'])
    assert.deepEqual(subjects([await opened.read(mailbox, 2)]), ['second'])
    assert.equal(lines.length, session)
  }
  assert.match(lines[0]!, /newer version/)
  assert.deepEqual((await raw.parts(mailbox, [1]))[0], before)
  assert.ok(newer.equals((await raw.pages.read([before!.page!])).get(before!.page!)!))
})

test('a content put in the place of another does not open', async () => {
  const { store, raw, mailbox, contents } = await folded()
  // Whoever writes to the disk names other octets as those of a content.
  const forged = Buffer.from((await raw.contents.read(contents[1]!))!)
  ;(await raw.contents.read(contents[0]!))!.set(forged)
  await using session = await store.open(ALICE, readingKeys(ALICE))
  await assert.rejects(session.read(mailbox, 1), MessageUnreadable)
  const [first] = await session.messages(mailbox, [1], { content: true })
  assert.deepEqual([first!.content, typeof first!.unreadable], [null, 'string'])
})

test('a content with any octet changed is refused without a word of it', async () => {
  const { store, inner, raw, mailbox } = await folded()
  const sealed = Buffer.from((await raw.read(mailbox, 1))!)
  sealed[sealed.byteLength - 30]! ^= 1
  const { uid } = await inner.append(ALICE, 'INBOX', newMessage('x', { content: sealed, summary: Buffer.from('?') }))
  await using session = await store.open(ALICE, readingKeys(ALICE))
  assert.deepEqual(await session.summaries(mailbox, [uid]), [null])
  await assert.rejects(session.read(mailbox, uid), (error: Error) => {
    assert.ok(error instanceof MessageUnreadable)
    assert.doesNotMatch(error.message, /first/)
    return true
  })
})

test('copying and moving make nothing anew, with keys or without', async () => {
  const { store, raw, mailbox, lines } = await folded()
  const keys = readingKeys(ALICE)
  const [before] = await raw.parts(mailbox, [1])
  await using session = await store.open(ALICE, keys)
  await using locked = await store.open(ALICE, null)
  const archive = (await session.mailboxes()).find(({ name }) => name === 'Archive')!.id
  await locked.move(mailbox, [1, 2], archive)
  await session.copy(archive, [2], mailbox)
  assert.equal((await raw.parts(archive, [1]))[0]!.page, before!.page)
  assert.deepEqual(subjects(await session.summaries(archive, [1, 2])), ['first', 'second'])
  assert.deepEqual(subjects([await session.read(mailbox, 3)]), ['second'])
  const { to } = (await session.renameMailbox('INBOX', 'Old'))!
  assert.deepEqual(subjects(await session.summaries(to, [1])), ['second'])
  assert.deepEqual([keys.operations, lines], [0, []])
})

test('small pages are gathered, and what belonged to messages that are gone goes with them', async () => {
  const { store, raw } = await setUp()
  await using session = await store.open(ALICE, readingKeys(ALICE))
  const inbox = (await session.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  for (let uid = 1; uid <= 40; uid++) {
    await store.append(ALICE, 'INBOX', mail(`m${uid}`))
    await session.summaries(inbox, [uid])
  }
  while ((await raw.pages.after(0, 100)).length > 20) await new Promise((resolve) => setImmediate(resolve))
  await session.setFlags(inbox, [1, 2, 3], { mode: 'add', flags: ['\\Deleted'] })
  await session.expunge(inbox)
  await session[Symbol.asyncDispose]()
  await using later = await store.open(ALICE, readingKeys(ALICE))
  while ((await raw.pages.after(0, 100)).length > 1) await new Promise((resolve) => setImmediate(resolve))
  const [page] = await raw.pages.after(0, 100)
  assert.equal((await raw.pages.contentsOf(page!)).length, 37)
  assert.match(Buffer.from((await later.summaries(inbox, [20]))[0]!).toString(), /m20/)
})

test('one summary that no longer decrypts does not hide the others', async () => {
  const { store, raw, mailbox } = await folded()
  await store.append(ALICE, 'INBOX', mail('second'))
  await store.append(ALICE, 'INBOX', mail('first'))
  const [parts] = await raw.parts(mailbox, [3])
  const broken = Buffer.from(splitMessage(parts!.summary!).pkesks[0]!)
  const keys = readingKeys(ALICE)
  await using session = await store.open(ALICE, {
    indexKey: keys.indexKey,
    async sessionKeys(pkesks) {
      if (pkesks.some((pkesk) => broken.equals(pkesk))) throw new Error('for us and broken')
      return keys.sessionKeys(pkesks)
    },
  })
  assert.deepEqual(subjects(await session.summaries(mailbox, [1, 3, 4])), ['first', null, 'first'])
})
