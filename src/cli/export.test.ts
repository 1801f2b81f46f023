/** What an export writes: everything that is needed to take it in again, and nothing that a file system or another person could misuse. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openMaildir } from '#agents/import/maildir-source.ts'
import { MessageUnreadable } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { systemClock } from '#lib/clock.ts'
import { importHouse } from '../../test/support/import-house.ts'
import { letters } from '../../test/support/letters.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { exportAll } from './export.ts'
import { maildirWriter, sealedWriter } from './export-files.ts'
import { folderNames } from './export-names.ts'
import { Progress } from './progress.ts'

const MAILBOXES = [
  'INBOX',
  'INBOX/Sub',
  'Sent',
  'Work',
  'work',
  'WORK/a',
  'Work/A',
  '..',
  '../..',
  '.',
  'a.b',
  'a/b',
  'index.jsonl',
  'Päckchen/Größe ✉',
  '%2e',
  '&-',
  '* ~ $(x)\\',
  `long ${'x'.repeat(400)}/1`,
  `long ${'x'.repeat(400)}/2`,
  'cur',
  'new',
]

async function filled() {
  const store = createMemoryMailStore()
  await store.create('anna')
  await using mail = await store.open('anna', null)
  const contents = letters('a@beta.test', 'anna@alpha.test', 'A subject', 'a body').map((letter) => letter.content)
  for (const [at, name] of MAILBOXES.entries()) {
    if (!(await mail.mailboxes()).some((one) => one.name === name)) await mail.createMailbox(name)
    for (const [index, content] of contents.entries()) {
      const flags = [['\\Seen'], ['\\Flagged', '$Forwarded', 'work'], [], ['\\Answered', '\\Draft', '\\Deleted', 'h']][
        index % 4
      ]!
      const internalDate = (1_500_000_000 + at * 1000 + index) * 1000
      await store.append('anna', name, { content, summary: encodeSummary(summarize(content)), internalDate, flags })
    }
  }
  return store
}

const task = (signal = new AbortController().signal) => ({ progress: new Progress(systemClock, true), signal })

async function kept(store: Awaited<ReturnType<typeof filled>>) {
  await using mail = await store.open('anna', null)
  const all: unknown[] = []
  for (const { id, name } of await mail.mailboxes())
    for (const { uid, flags, internalDate } of await mail.list(id)) {
      const content = Buffer.from((await mail.read(id, uid))!).toString('latin1')
      all.push([name, content, [...flags].sort(), internalDate])
    }
  return all.sort()
}

async function filesOf(path: string) {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries.map((entry) => ({ path: join(entry.parentPath, entry.name), isFile: entry.isFile() }))
}

test('a Maildir export taken in elsewhere is the same mail, whatever its mailboxes are called', async () => {
  await using folder = await temporaryDirectory('export')
  await using store = await filled()
  await using mail = await store.open('anna', null)
  const mailboxes = await mail.mailboxes()
  const writer = maildirWriter(folder.path, mailboxes, () => assert.fail('keywords were left out'))
  const tally = await exportAll({ mail, writer, ...task() }, mailboxes, folder.path)
  assert.deepEqual([tally.messages, tally.unreadable], [MAILBOXES.length * 10, []])
  for (const { path, isFile } of await filesOf(folder.path))
    assert.equal((await stat(path)).mode & 0o777, isFile ? 0o600 : 0o700, path)
  assert.ok(
    (await readdir(folder.path)).every(
      (name) => name.startsWith('.') || /^(cur|new|tmp|letterlock-mailbox|dovecot-keywords)$/.test(name),
    ),
  )
  await using house = await importHouse()
  const result = await house.take(await openMaildir(folder.path, { messageLimit: 10_000_000 }))
  assert.deepEqual([result.failures, result.imported], [[], MAILBOXES.length * 10])
  assert.deepEqual(await kept(house.store as typeof store), await kept(store))
})

test('a sealed export has a file for each message, and a line that says whose it is', async () => {
  await using folder = await temporaryDirectory('export')
  await using store = await filled()
  await using mail = await store.open('anna', null)
  const mailboxes = await mail.mailboxes()
  const tally = await exportAll(
    { mail, writer: sealedWriter(folder.path, mailboxes), ...task() },
    mailboxes,
    folder.path,
  )
  const lines = (await readFile(folder.join('index.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(lines.length, tally.messages)
  const found: unknown[] = []
  for (const { file, mailbox, internalDate, flags } of lines) {
    assert.equal(Math.floor((await stat(folder.join(file))).mtimeMs), internalDate)
    found.push([mailbox, (await readFile(folder.join(file))).toString('latin1'), flags.sort(), internalDate])
  }
  assert.deepEqual(found.sort(), await kept(store))
  const files = await filesOf(folder.path)
  assert.equal(files.filter(({ isFile }) => isFile).length, lines.length + 1)
  for (const { path, isFile } of files) assert.equal((await stat(path)).mode & 0o777, isFile ? 0o600 : 0o700, path)
})

test('what cannot be opened is named, and the rest is written', async () => {
  await using folder = await temporaryDirectory('export')
  await using store = await filled()
  await using mail = await store.open('anna', null)
  const read = mail.read.bind(mail)
  mail.read = async (mailbox, uid) => {
    if (uid === 3) throw new MessageUnreadable('the message is sealed to a key that is not here')
    return read(mailbox, uid)
  }
  const mailboxes = (await mail.mailboxes()).filter(({ name }) => name === 'Work' || name === 'work')
  const writer = maildirWriter(folder.path, mailboxes, () => {})
  const tally = await exportAll({ mail, writer, ...task() }, mailboxes, folder.path)
  assert.deepEqual([tally.messages, tally.unreadable], [18, ['Work/3', 'work/3']])
})

test('an interrupted export says that it is not all', async () => {
  await using folder = await temporaryDirectory('export')
  await using store = await filled()
  await using mail = await store.open('anna', null)
  const mailboxes = await mail.mailboxes()
  const writer = maildirWriter(folder.path, mailboxes, () => {})
  await assert.rejects(
    exportAll({ mail, writer, ...task(AbortSignal.abort()) }, mailboxes, folder.path),
    /is not all; remove it/,
  )
})

test('folders are distinct on every file system', () => {
  const level = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 120 }),
    fc.constantFrom('a', 'A', '.', '..', 'é', 'É', 'CON', '\0', ' '),
  )
  const name = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/').toWellFormed())
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 30 }), (names) => {
      const folders = [...folderNames(names).values()]
      assert.equal(new Set(folders.map((one) => one.toLowerCase())).size, names.length)
      for (const folder of folders) assert.match(folder, /^[A-Za-z0-9 _&+,()@=%~-][A-Za-z0-9 _&+,()@=%~.-]{0,220}$/)
    }),
    { numRuns: 30 },
  )
})
