/** Unsealing when something goes wrong meanwhile, and in a thread of its own. */
import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemClock } from '#lib/clock.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { BlobFiles } from './blob-files.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import { type AccountMail, MessageUnreadable } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import {
  ACCOUNT,
  ada,
  bob,
  fakeAid,
  house,
  idOf,
  knowing,
  NOW,
  plainLetter,
  sealedLetter,
  sessionKeys,
  signedLetter,
  text,
} from './sealed-by-senders.contract.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { PATIENCE_MS, REST_MS } from './sealed-mail-store-aid.ts'
import { createSqlMailStore, type SqlMailStoreOptions } from './sql-mail-store.ts'
import { createStorePool } from './store-pool.ts'

const LONG = { more: 'long '.repeat(40_000) }

async function onDisk(options: Partial<SqlMailStoreOptions> = {}) {
  const directory = await temporaryDirectory('unsealing')
  const open = (dataDir: string) =>
    createSqlMailStore({ dataDir, clock: systemClock, logger: createFakeLog(), ...options })
  const made = await house(open(directory.path))
  const close = async () => {
    await made.store[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  }
  return { ...made, directory, open, [Symbol.asyncDispose]: close }
}

const kindsOf = async (mail: AccountMail, mailbox: number, uids: readonly number[]) =>
  (await mail.protections(mailbox, uids)).map((one) => one?.signature.kind)

test('cut short at any moment, every message is as it came or as it is to be, whole, and in one place', async () => {
  const copies: string[] = []
  let snapshot = async () => {}
  await using made = await onDisk({
    async sync(wal) {
      await snapshot()
      await wal.datasync()
    },
  })
  const { store, raw, login, directory, open, keys } = made
  const letters = [sealedLetter('small'), sealedLetter('long', LONG), signedLetter('signed'), sealedLetter('buy')]
  for (const letter of letters) await store.append(ACCOUNT, 'INBOX', letter)
  const [inbox, archive] = [await idOf(raw, 'INBOX'), await idOf(raw, 'Archive')]
  await raw.copy(inbox, [1, 2], archive)
  snapshot = async () => {
    const to = directory.join(`copy ${copies.length}`)
    copies.push(to)
    await cp(directory.join('accounts'), `${to}/accounts`, { recursive: true })
  }
  const scan = async (octets: Uint8Array) => (text(octets)!.includes('Subject: buy') ? 'junk' : 'clean')
  const { write, remove } = BlobFiles.prototype
  try {
    BlobFiles.prototype.write = async function (octets) {
      const name = await write.call(this, octets)
      await snapshot()
      return name
    }
    BlobFiles.prototype.remove = async function (names) {
      await snapshot()
      await remove.call(this, names)
      await snapshot()
    }
    await snapshot()
    await using mail = await login(fakeAid({ scan }))
    for (const uid of [1, 2, 3, 4]) await mail.read(inbox, uid)
    await snapshot()
  } finally {
    Object.assign(BlobFiles.prototype, { write, remove })
    snapshot = async () => {}
  }
  assert.ok(copies.length >= 6, `${copies.length} moments`)
  const unsealed = new Set<number>()
  for (const copy of copies) {
    const inner = open(copy)
    await using cut = createSealedMailStore(inner, {
      sealing: keys.sealing,
      clock: systemClock,
      logger: createFakeLog(),
    })
    const rest = await inner.open(ACCOUNT, null)
    const states = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((id) => rest.contents.unsealing(id)))
    unsealed.add(states.filter((state) => state > 0).length)
    await using mail = await cut.open(ACCOUNT, sessionKeys(keys, [bob], fakeAid({ scan })))
    const read = await Promise.all([1, 2, 3, 4].map(async (uid) => text(await mail.read(inbox, uid))))
    const junk = await idOf(mail, 'Junk')
    const [moved] = await mail.list(junk)
    assert.equal((await mail.list(junk)).length, 1)
    const all = [...read.slice(0, 3), text(await mail.read(junk, moved!.uid))]
    assert.deepEqual(
      [read[3], ...all.map((one) => one!.includes('openpgp=pass') && !one!.includes('BEGIN PGP MESSAGE'))],
      [null, true, true, true, true],
    )
    assert.ok(all[1]!.endsWith(`${LONG.more}\r\n`))
    assert.equal(text(await mail.read(archive, 2)), all[1])
    assert.deepEqual(await kindsOf(mail, inbox, [1, 2, 3]), ['good', 'good', 'good'])
    assert.equal((await mail.coverage()).current, 4)
  }
  assert.ok(unsealed.has(0) && unsealed.has(4) && unsealed.size > 2, `moments with ${[...unsealed].join()} unsealed`)
})

test('while the disk is full nothing of it is shown, other mail is, and it comes when there is room', async () => {
  await using made = await onDisk()
  const { store, login, raw, log } = made
  for (const letter of [sealedLetter('long', LONG), plainLetter('plain')]) await store.append(ACCOUNT, 'INBOX', letter)
  const inbox = await idOf(raw, 'INBOX')
  const { write } = BlobFiles.prototype
  try {
    BlobFiles.prototype.write = async () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    }
    await using mail = await login()
    const [sealed, plain] = await mail.summaries(inbox, [1, 2])
    assert.equal(sealed, null)
    assert.match(text(plain!)!, /plain/)
    await assert.rejects(mail.read(inbox, 1), MessageUnreadable)
  } finally {
    BlobFiles.prototype.write = write
  }
  assert.ok(log.said('could not keep a message that was unsealed').length > 0)
  await using mail = await login()
  assert.match(text(await mail.read(inbox, 1))!, /CANARY-7d31b0 long/)
})

test('whoever does not answer holds up no mail for long, and is asked again after a while', async () => {
  const clock = createFakeClock(NOW)
  const { store, login, raw } = await house(createMemoryMailStore(), clock)
  const never = new Promise<never>(() => {})
  let hangs = true
  const aid = fakeAid({ signers: () => (hangs ? never : Promise.resolve(knowing(ada))), scan: () => never })
  await using mail = await login(aid)
  const inbox = await idOf(raw, 'INBOX')
  await store.append(ACCOUNT, 'INBOX', sealedLetter('first'))
  const first = mail.read(inbox, 1)
  while (aid.asked.length === 0) await nextTurn()
  await clock.advance(PATIENCE_MS)
  assert.match(text(await first)!, /openpgp=temperror[\s\S]*CANARY-7d31b0 first/)
  await store.append(ACCOUNT, 'INBOX', sealedLetter('second'))
  assert.match(text(await mail.read(inbox, 2))!, /CANARY-7d31b0 second/, 'nobody is asked for now')
  assert.deepEqual([aid.asked.length, aid.scanned.length], [1, 0])
  hangs = false
  await clock.advance(REST_MS)
  await store.append(ACCOUNT, 'INBOX', sealedLetter('third'))
  const third = mail.read(inbox, 3)
  while (aid.scanned.length === 0) await nextTurn()
  await clock.advance(PATIENCE_MS)
  assert.match(text(await third)!, /openpgp=pass/)
  assert.deepEqual(await kindsOf(mail, inbox, [1, 2, 3]), ['unchecked', 'unchecked', 'good'])
})

test('a session that ends waits for nobody', async () => {
  const { store, login, raw } = await house(createMemoryMailStore())
  await store.append(ACCOUNT, 'INBOX', sealedLetter('one'))
  const aid = fakeAid({ signers: () => new Promise<never>(() => {}) })
  const mail = await login(aid)
  while (aid.asked.length === 0) await nextTurn()
  await mail[Symbol.asyncDispose]()
  const inbox = await idOf(raw, 'INBOX')
  await using later = await login()
  assert.match(text(await later.read(inbox, 1))!, /CANARY-7d31b0 one/)
})

test('who answers with an error is passed over', async () => {
  const { store, login, raw } = await house(createMemoryMailStore())
  const fails = async () => {
    throw new Error('broken')
  }
  await store.append(ACCOUNT, 'INBOX', sealedLetter('one'))
  await using mail = await login(fakeAid({ signers: fails, scan: fails }))
  const inbox = await idOf(raw, 'INBOX')
  assert.deepEqual(await kindsOf(mail, inbox, [1]), ['unchecked'])
  await store.append(ACCOUNT, 'INBOX', sealedLetter('two'))
  await using ownless = await login(Object.assign(fakeAid(), { own: fails }))
  assert.deepEqual(await kindsOf(ownless, inbox, [2]), ['unchecked'])
  assert.match(text(await ownless.read(inbox, 2))!, /CANARY-7d31b0 two/)
})

test('in a store thread all of it comes from the session and what it seals to from the pool', async () => {
  await using directory = await temporaryDirectory('unsealing')
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const options = { dataDir: directory.path, workers: 1, clock: systemClock, logger: log }
  await using pool = createStorePool({ ...options, sealing: keys.sealing })
  await pool.create(ACCOUNT)
  const letters = [
    sealedLetter('one'),
    signedLetter('two'),
    sealedLetter('long', LONG),
    sealedLetter('buy'),
    plainLetter('p'),
  ]
  for (const letter of letters) await pool.append(ACCOUNT, 'INBOX', letter)
  const scan = async (octets: Uint8Array) => (text(octets)!.includes('Subject: buy') ? 'junk' : 'clean')
  const aid = fakeAid({ scan })
  const trouble = { certificates: [], trouble: 'down' }
  {
    await using mail = await pool.open(ACCOUNT, sessionKeys(keys, [bob], { ...aid, signers: async () => trouble }))
    const inbox = await idOf(mail, 'INBOX')
    const summaries = await mail.summaries(inbox, [1, 2, 3, 4, 5])
    assert.deepEqual(
      summaries.map((one) => one !== null),
      [true, true, true, false, true],
    )
    assert.match(text(await mail.read(inbox, 3))!, /long long \r\n$/)
    assert.deepEqual(await kindsOf(mail, inbox, [1, 2, 5]), ['unchecked', 'unchecked', undefined])
    assert.equal((await mail.protections(inbox, [1]))[0]!.at > NOW - 1, true)
    assert.equal((await mail.list(await idOf(mail, 'Junk'))).length, 1)
    assert.equal(aid.scanned.length, 3)
    assert.ok(aid.scanned.some((one) => one.endsWith(`${LONG.more}\r\n`)))
  }
  await using mail = await pool.open(ACCOUNT, sessionKeys(keys, [bob], aid))
  const inbox = await idOf(mail, 'INBOX')
  while ((await kindsOf(mail, inbox, [1, 2, 3])).includes('unchecked')) await nextTurn()
  assert.deepEqual(await kindsOf(mail, inbox, [1, 2, 3]), ['good', 'good', 'good'])
  assert.deepEqual(
    log.lines.map(({ msg }) => msg),
    ['moved a message that its sender had sealed'],
  )
})
