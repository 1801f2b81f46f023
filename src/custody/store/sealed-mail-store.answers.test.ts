/** Which messages came sealed: known from the moment that they are opened, by their Message-IDs, to the account's keys alone. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { systemClock } from '#lib/clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { crlf, encryptedMessage } from '../../../test/support/sealed-letters.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { openAccount } from './account-database.ts'
import { KeysNeeded, type NewMessage } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { ACCOUNT, bob, house, idOf, mallory, NOW, plainLetter, signedLetter } from './sealed-by-senders.contract.ts'
import { createSqlMailStore } from './sql-mail-store.ts'
import { dropOldNames, hasOldNames, keepSealedNames, knowsSealedNames } from './sql-sealed-names.ts'

const directory = await temporaryDirectory('answers')
const openSql = (dataDir: string) => createSqlMailStore({ dataDir, clock: systemClock, logger: createFakeLog() })
const sql = openSql(directory.path)
after(async () => {
  await sql[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

const DAY = 24 * 60 * 60_000

interface Ids {
  readonly outer?: string
  readonly inner?: string
}

function sealed({ outer, inner }: Ids, reader = bob): NewMessage {
  const idField = (id: string | undefined) => (id === undefined ? [] : [`Message-ID: ${id}`])
  const head = ['From: ada@alpha.test', 'To: bob@beta.test', 'Subject: ...', ...idField(outer)]
  const type = 'Content-Type: text/plain; protected-headers="v1"; hp="cipher"'
  const entity = crlf('From: ada@alpha.test', 'Subject: secret', ...idField(inner), type, '', 'text')
  const content = encryptedMessage(head, entity, reader, Buffer.alloc(0)).message
  return { content, summary: encodeSummary(summarize(content)), internalDate: NOW, flags: [] }
}

for (const [name, make] of [
  ['memory', async () => createMemoryMailStore()],
  ['SQL', () => sql.remove(ACCOUNT).then(() => sql)],
] as const)
  describe(`what came sealed, over ${name}`, () => {
    test('it is known when it was opened, by the id that its readers see and the one outside, however they are spelled', async () => {
      const { store, login } = await house(await make())
      for (const ids of [{ outer: '<one@x>' }, { outer: '<out@x>', inner: '<in@x>' }, { inner: 'bare@x' }, {}])
        await store.append(ACCOUNT, 'INBOX', sealed(ids))
      await using mail = await login()
      await mail.protections(await idOf(mail, 'INBOX'), [1, 2, 3, 4])
      const asked = ['one@x', '<one@x>', ' <one\r\n @x> ', 'ONE@x', 'in@x', 'out@x', '<bare@x>', '', '<>', 'none@x']
      const known = ['one@x', '<one@x>', ' <one\r\n @x> ', 'in@x', 'out@x', '<bare@x>']
      assert.deepEqual(await mail.sealedAmong(asked), known)
      assert.deepEqual(await mail.sealedAmong([]), [])
    })

    test('what came in clear, was only signed, or was not opened is none of them', async () => {
      const { store, login } = await house(await make())
      const named = ({ content, ...rest }: NewMessage, id: string): NewMessage => {
        const more = Buffer.concat([Buffer.from(`Message-ID: <${id}>\r\n`), content])
        return { ...rest, content: more, summary: encodeSummary(summarize(more)) }
      }
      const letters = [named(plainLetter('p'), 'plain@x'), named(signedLetter('s'), 'signed@x')]
      for (const letter of [...letters, sealed({ outer: '<other@x>' }, mallory)])
        await store.append(ACCOUNT, 'INBOX', letter)
      await using mail = await login()
      await mail.protections(await idOf(mail, 'INBOX'), [1, 2, 3])
      assert.deepEqual(await mail.sealedAmong(['plain@x', 'signed@x', 'other@x']), [])
    })

    test('it stays known when the message is gone, to later sessions, and after the keys have changed', async () => {
      const { store, login, keys, raw } = await house(await make())
      const { mailbox } = await store.append(ACCOUNT, 'INBOX', sealed({ outer: '<old@x>' }))
      for (const id of ['old@x', 'newer@x', 'newest@x']) {
        if (id !== 'old@x') {
          await keys.change()
          await store.append(ACCOUNT, 'INBOX', sealed({ outer: `<${id}>` }))
        }
        await using mail = await login()
        const uids = (await mail.list(mailbox)).map(({ uid }) => uid)
        await mail.protections(mailbox, uids)
        await raw.setFlags(mailbox, uids, { mode: 'add', flags: ['\\Deleted'] })
        await raw.expunge(mailbox)
      }
      await using mail = await login()
      assert.deepEqual(await mail.sealedAmong(['old@x', 'no@x', 'newer@x', 'newest@x']), [
        'old@x',
        'newer@x',
        'newest@x',
      ])
    })

    test('it takes keys to ask, and the last fifty are looked at', async () => {
      const { store, login } = await house(await make())
      await store.append(ACCOUNT, 'INBOX', sealed({ outer: '<one@x>' }))
      await using mail = await login()
      await mail.protections(await idOf(mail, 'INBOX'), [1])
      const others = Array.from({ length: 49 }, (_, number) => `${number}@x`)
      assert.deepEqual(await mail.sealedAmong(['one@x', ...others]), ['one@x'])
      assert.deepEqual(await mail.sealedAmong(['one@x', ...others, 'more@x']), [])
      await using locked = await store.open(ACCOUNT, null)
      await assert.rejects(locked.sealedAmong(['one@x']), KeysNeeded)
    })
  })

test('the files of an account hold no Message-ID of what came sealed', async () => {
  await using place = await temporaryDirectory('answers-files')
  const { store, login, raw } = await house(openSql(place.path))
  await store.append(ACCOUNT, 'INBOX', sealed({ outer: '<canary-31b7@x>', inner: '<canary-92c4@x>' }))
  {
    await using mail = await login()
    await mail.protections(await idOf(mail, 'INBOX'), [1])
    assert.deepEqual(await mail.sealedAmong(['canary-31b7@x', 'canary-92c4@x']), ['canary-31b7@x', 'canary-92c4@x'])
  }
  await raw[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
  const files = await readdir(place.path, { recursive: true, withFileTypes: true })
  const texts = await Promise.all(
    files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name), 'latin1')),
  )
  assert.ok(texts.some((text) => text.includes('sealed_name')))
  assert.ok(texts.every((text) => !text.includes('canary')))
})

test('names go after 400 days, and the oldest of too many', async () => {
  await using place = await temporaryDirectory('answers-tidied')
  const { store } = await house(openSql(place.path))
  await store[Symbol.asyncDispose]()
  const around = { dataDir: place.path, now: () => NOW, logger: createFakeLog() }
  const name = (number: number) => Buffer.alloc(16, number)
  const [a, b, c, often] = [name(1), name(2), name(3), Buffer.alloc(16)]
  {
    await using database = await openAccount(ACCOUNT, around)
    const { db, account } = database
    const scope = { query: db.query, account }
    const keep = (one: Buffer, at: number) => db.write((query) => keepSealedNames({ query, account }, [one], at))
    const known = () => knowsSealedNames(scope, [a, b, c])
    await keep(a, NOW)
    await keep(b, NOW + DAY)
    await keep(c, NOW + 2 * DAY)
    assert.equal(await hasOldNames(scope, NOW + 400 * DAY), false)
    assert.equal(await hasOldNames(scope, NOW + 401 * DAY), true)
    await keep(c, NOW + 3 * DAY)
    assert.deepEqual(await known(), [true, true, true])
    await keep(often, NOW + 400 * DAY)
    assert.deepEqual(await known(), [false, true, true], 'one in a thousand names tidies')
    await db.write((query) => dropOldNames({ query, account }, NOW, 2))
    assert.deepEqual(await known(), [false, false, true])
  }
  const later = createSqlMailStore({
    dataDir: place.path,
    clock: { ...systemClock, now: () => NOW + 900 * DAY },
    logger: createFakeLog(),
  })
  await (await later.open(ACCOUNT, null)).quota()
  await later[Symbol.asyncDispose]()
  await using database = await openAccount(ACCOUNT, around)
  assert.deepEqual(await knowsSealedNames({ query: database.db.query, account: database.account }, [c, often]), [
    false,
    false,
  ])
})
