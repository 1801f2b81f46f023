import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { readAll } from '../../../test/support/import-house.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { readFileName, readKeywords } from './maildir-names.ts'
import { openMaildir } from './maildir-source.ts'

const TIME = 1_600_000_000

/** Makes a Maildir of these files (empty text: a folder). */
async function maildir(files: Readonly<Record<string, string>>) {
  const folder = await temporaryDirectory('maildir')
  for (const [name, text] of Object.entries(files)) {
    const path = folder.join(name)
    if (name.endsWith('/')) await mkdir(path, { recursive: true })
    else {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
      await utimes(path, TIME, TIME)
    }
  }
  return folder
}
const read = async (path: string, messageLimit = 1_000_000) => readAll(await openMaildir(path, { messageLimit }))

test('file names tell flags and the time of delivery', () => {
  const keywords = readKeywords('0 work\n1 $Label1\nx y\n99 no\n')
  const flags = (name: string, isNew = false) => readFileName(name, keywords, isNew).flags
  assert.deepEqual(flags('1.a:2,DFPRST'), ['\\Draft', '\\Flagged', '$Forwarded', '\\Answered', '\\Seen', '\\Deleted'])
  assert.deepEqual(flags('1.a:2,Sabz'), ['\\Seen', 'work', '$Label1'])
  assert.deepEqual(flags('1.a;2,S'), ['\\Seen'])
  assert.deepEqual(flags('1.a:2,FS', true), ['\\Flagged'])
  assert.deepEqual(flags('1.a:1,S'), [])
  assert.deepEqual(flags('1.a'), [])
  assert.equal(readFileName('1600000000.M1P2.host:2,', [], false).delivered, TIME)
  for (const name of ['1.a', 'x1600000000.a', '160000000000.a', '1600000000'])
    assert.equal(readFileName(name, [], false).delivered, null)
})

test('folders of all layouts, flags, keywords, dates and line ends', async () => {
  await using folder = await maildir({
    'cur/1600000100.b:2,Sa': 'Subject: two\n\nbody\n',
    'cur/1600000009.a:2,': 'Subject: one\r\n\r\nbody\n',
    'new/1600000200.c:2,FS': 'Subject: three\n\n',
    'tmp/1600000300.d': 'half',
    'cur/.hidden': 'no',
    'dovecot-keywords': '0 work\n',
    'dovecot-uidlist': '3 V1 N4\n',
    '.Entw&APw-rfe.Alt/cur/1.x:2,D': 'A: 1\n',
    '.Entw&APw-rfe.Alt/maildirfolder': '',
    'Sub/Folder/new/1500000000.x': 'A: 2\n',
    '.empty/cur/': '',
    '.nothing/file': 'x',
  })
  const found = await read(folder.path)
  assert.deepEqual(
    found.map(({ mailbox, content, flags, internalDate }) => [mailbox, content, flags, internalDate! / 1000]),
    [
      ['', 'Subject: one\r\n\r\nbody\n', [], TIME],
      ['', 'Subject: two\r\n\r\nbody\r\n', ['\\Seen', 'work'], TIME],
      ['', 'Subject: three\r\n\r\n', ['\\Flagged'], TIME],
      ['Entwürfe/Alt', 'A: 1\r\n', ['\\Draft'], TIME],
      // Younger than its name says: it was copied.
      ['Sub/Folder', 'A: 2\r\n', [], 1_500_000_000],
    ],
  )
})

test('numbers in names count', async () => {
  await using folder = await maildir({ 'cur/1.u10': 'A: 10\n', 'cur/1.u9': 'A: 9\n', 'cur/1.u100': 'A: 100\n' })
  assert.deepEqual(
    (await read(folder.path)).map(({ content }) => content),
    ['A: 9\r\n', 'A: 10\r\n', 'A: 100\r\n'],
  )
})

test('names that are no UTF-8 are read', async () => {
  await using folder = await maildir({ 'cur/': '' })
  const name = Buffer.concat([Buffer.from(join(folder.path, '.Entw')), Buffer.from([0xfc]), Buffer.from('rfe')])
  await mkdir(Buffer.concat([name, Buffer.from('/cur')]) as unknown as string, { recursive: true })
  await writeFile(Buffer.concat([name, Buffer.from('/cur/1.'), Buffer.from([0xff]), Buffer.from(':2,S')]), 'A: 1\n')
  assert.deepEqual(
    (await read(folder.path)).map(({ mailbox, flags, name }) => [mailbox, flags, name]),
    [['Entwürfe', ['\\Seen'], 'cur/1.ÿ:2,S']],
  )
})

test('what is no message is named, links are not followed, and nothing waits for a pipe', async () => {
  await using folder = await maildir({
    'cur/1.ok:2,': 'A: 1\n',
    'cur/2.large': 'x'.repeat(2000),
    'cur/3.folder/': '',
    '.Sub/new/': '',
  })
  await symlink('/etc/hostname', folder.join('cur/4.link'))
  await symlink('.', folder.join('loop'))
  await symlink(folder.join('cur'), folder.join('.Sub/cur'))
  execFileSync('mkfifo', [folder.join('cur/5.pipe')])
  const found = await read(folder.path, 1000)
  assert.deepEqual(
    found.map(({ mailbox, name, content, why }) => [mailbox, name, why ?? content]),
    [
      ['loop', 'loop', 'it is a symbolic link, and those are not followed'],
      ['', 'cur/1.ok:2,', 'A: 1\r\n'],
      ['', 'cur/2.large', 'it is larger than limits.messageSize (2000 octets)'],
      ['', 'cur/3.folder', 'it is no file'],
      ['', 'cur/4.link', 'it is a symbolic link, and those are not followed'],
      ['', 'cur/5.pipe', 'it is no file'],
      ['Sub', 'cur', 'it is a symbolic link, and those are not followed'],
    ],
  )
})

test('what an export noted of the mailbox is believed when it is a name', async () => {
  await using folder = await maildir({
    '.a/cur/1.x': 'A: 1\n',
    '.a/letterlock-mailbox': '{"mailbox":"Päck/../x.y"}',
    '.b/cur/1.x': 'A: 2\n',
    '.b/letterlock-mailbox': '{"mailbox":7}',
    '.c/cur/1.x': 'A: 3\n',
    '.c/letterlock-mailbox': 'junk',
  })
  assert.deepEqual(
    (await read(folder.path)).map(({ mailbox }) => mailbox),
    ['Päck/../x.y', 'b', 'c'],
  )
})

test('what is no Maildir is refused in words', async () => {
  await using folder = await maildir({ 'some/folder/': '', file: 'x' })
  await assert.rejects(read(folder.path), /is no Maildir: neither it nor a folder in it/)
  await assert.rejects(read(folder.join('file')), /is no folder; one file with many messages is mbox:/)
  await assert.rejects(read(folder.join('missing')), /cannot be read \(ENOENT\)/)
})
