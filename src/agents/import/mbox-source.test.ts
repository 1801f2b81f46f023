import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { readAll } from '../../../test/support/import-house.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { SourceFailed } from './import.ts'
import { unquote } from './mbox-message.ts'
import { readSeparator } from './mbox-separator.ts'
import { openMbox } from './mbox-source.ts'

const folder = await temporaryDirectory('mbox')
after(() => folder[Symbol.asyncDispose]())
const path = folder.join('mbox')

async function read(text: string | Buffer, messageLimit = 1_000_000) {
  await writeFile(path, typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  return readAll(await openMbox(path, { messageLimit }))
}
const contents = async (text: string, limit?: number) => (await read(text, limit)).map((one) => one.why ?? one.content)

const FROM = 'From anna@alpha.test Tue Nov  3 10:00:00 2026'
const DATE = Date.UTC(2026, 10, 3, 10)

test('separators are lines with a weekday and a whole date', () => {
  for (const line of [
    FROM,
    'From - Tue Nov 03 10:00:00 2026',
    'From anna@alpha.test Tue Nov  3 10:00:00 UTC 2026',
    'From anna@alpha.test Tue Nov  3 11:00:00 2026 +0100',
    'From MAILER-DAEMON Tue, 3 Nov 2026 10:00:00 +0000',
    'From "a b"@alpha.test  Tue Nov  3 10:00:00 2026 remote from far',
  ])
    assert.equal(readSeparator(line), DATE, line)
  for (const line of [
    'From',
    'From here on',
    'From Tue to Wed it rains',
    'from a Tue Nov  3 10:00:00 2026',
    '>From a b',
    `From ${'a '.repeat(600)}`,
  ])
    assert.equal(readSeparator(line), null, line)
})

test('mboxrd: quoted lines lose one >, the empty line before a separator is the file’s', async () => {
  const found = await read(
    `${FROM}\nSubject: 1\n\nFrom here on\n>From there\n>>From ${'x'}\n> From\n\n${FROM}\nSubject: 2\n\nbody\n\n\n${FROM}\nSubject: 3\n\n`,
  )
  assert.deepEqual(
    found.map(({ content, internalDate }) => [content, internalDate]),
    [
      ['Subject: 1\r\n\r\nFrom here on\r\nFrom there\r\n>From x\r\n> From\r\n', DATE],
      ['Subject: 2\r\n\r\nbody\r\n\r\n', DATE],
      ['Subject: 3\r\n', DATE],
    ],
  )
})

test('a file with CRLF keeps it', async () => {
  assert.deepEqual(await contents(`${FROM}\r\nSubject: 1\r\n\r\nbody\r\n\r\n${FROM}\r\nSubject: 2\r\n\r\nb\r\n`), [
    'Subject: 1\r\n\r\nbody\r\n',
    'Subject: 2\r\n\r\nb\r\n',
  ])
})

test('mboxcl2: a Content-Length that proves right rules over lines that look like separators', async () => {
  const body = `one\n${FROM}\nSubject: not a message\n\n>From x\n`
  assert.deepEqual(
    await contents(`${FROM}\nSubject: 1\nContent-Length: ${body.length}\nLines: 5\n\n${body}\n${FROM}\nA: 2\n\n`),
    [`Subject: 1\r\n\r\n${body.replaceAll('\n', '\r\n')}`, 'A: 2\r\n'],
  )
})

test('a Content-Length that is wrong is not believed', async () => {
  for (const length of ['3', '40', '999999999999', '-1', 'x'])
    assert.deepEqual(
      await contents(`${FROM}\nA: 1\nContent-Length: ${length}\n\nbody and more\n\n${FROM}\nA: 2\n\nb\n`),
      ['A: 1\r\n\r\nbody and more\r\n', 'A: 2\r\n\r\nb\r\n'],
      length,
    )
  // That of the next message is not this one's.
  assert.deepEqual(await contents(`${FROM}\nA: 1\n${FROM}\nA: 2\nContent-Length: 2\n\nb\n`), [
    'A: 1\r\n',
    'A: 2\r\n\r\nb\r\n',
  ])
})

test('what mail programs wrote into the header becomes flags and is taken out', async () => {
  const [one, two, three] = await read(
    `${FROM}\nStatus: RO\nSubject: 1\nX-Status: AF\nX-Keywords: work $Forwarded\nX-UID: 7\nX-IMAPbase: 1 2\nLines: 1\n\nb\n\n` +
      `${FROM}\nX-Mozilla-Status: 1005\nX-Mozilla-Status2: 0\nX-Mozilla-Keys: $label1    \nSubject: 2\n\nb\n\n${FROM}\nStatus: O\nSubject: 3\n\nStatus: R\n`,
  )
  assert.deepEqual(
    [one!.content, one!.flags],
    ['Subject: 1\r\nLines: 1\r\n\r\nb\r\n', ['\\Seen', '\\Answered', '\\Flagged', 'work', '$Forwarded']],
  )
  assert.deepEqual(
    [two!.content, two!.flags],
    ['Subject: 2\r\n\r\nb\r\n', ['\\Seen', '\\Flagged', '$Forwarded', '$label1']],
  )
  assert.deepEqual([three!.content, three!.flags], ['Subject: 3\r\n\r\nStatus: R\r\n', []])
})

test('the note that mail programs keep in front is no message', async () => {
  const note = `${FROM}\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\ntext\n\n`
  assert.deepEqual(await contents(`${note}${FROM}\nA: 1\n\nb\n`), ['A: 1\r\n\r\nb\r\n'])
})

test('a message over the limit is named and the next one comes', async () => {
  const large = `${FROM}\nA: 1\n\n${'0123456789abcde\n'.repeat(100_000)}\n${FROM}\nA: 2\n\nb\n`
  const found = await contents(large, 100_000)
  assert.match(found[0]!, /^it is larger than limits\.messageSize \(160000\d octets\)$/)
  assert.deepEqual(found.slice(1), ['A: 2\r\n\r\nb\r\n'])
  const told = large.replace('A: 1\n', 'A: 1\nContent-Length: 1600000\n')
  assert.deepEqual((await contents(told, 100_000)).slice(1), ['A: 2\r\n\r\nb\r\n'])
})

test('separators are found across the pieces in which the file is read', async () => {
  const piece = 256 * 1024
  for (const shift of [0, 1, 5, 30, FROM.length]) {
    const head = `${FROM}\nA: 1\n\n`
    const first = `${head}${'x'.repeat(piece - head.length - 2 - shift)}\n`
    assert.deepEqual(
      (await contents(`${first}\n${FROM}\nA: 2\n\nb\n`)).map((text) => text.length),
      [first.length - FROM.length - 1 + 3, 11],
      `${shift}`,
    )
  }
})

test('empty files are empty; other files are refused in words', async () => {
  assert.deepEqual(await read(''), [])
  assert.deepEqual(await read('\n\n'), [])
  for (const junk of ['Subject: x\n\nbody', '\x7fELF\x01\x02', '\0\0\0\0', 'PK\x03\x04', 'from a b'])
    await assert.rejects(read(junk), (error) => error instanceof SourceFailed && /is no mbox file/.test(error.message))
  await assert.rejects(openMbox(folder.path, { messageLimit: 1 }), /is a folder/)
  await assert.rejects(openMbox(folder.join('missing'), { messageLimit: 1 }), /cannot be read \(ENOENT\)/)
})

test('any octets are read to their end', async () => {
  const piece = fc.constantFrom(
    `${FROM}\n`,
    '\n',
    '\r\n',
    '>From ',
    'From ',
    'Content-Length: 3\n',
    'Status: R\n',
    '\0',
    'é',
    'abc',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      const found = await read(`${FROM}\n${pieces.join('')}`)
      assert.ok(found.length >= 1)
      // Every separator that was written as such begins a message, unless a length that proved right covers it.
      if (!pieces.includes('Content-Length: 3\n')) assert.ok(found.length <= pieces.length + 1)
    }),
    { numRuns: 40 },
  )
})

test('what mboxrd quoting writes comes back to the octet', async () => {
  const line = fc.constantFrom('From me', '>From me', '>>From me', FROM, 'text', '', '> From', 'From')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(line, { maxLength: 8 }), { minLength: 1, maxLength: 4 }), async (bodies) => {
      const messages = bodies.map((body, at) => `Subject: ${at}\n\n${body.map((one) => `${one}\n`).join('')}x\n`)
      const file = messages.map((text) => `${FROM}\n${text.replace(/^(>*From )/gm, '>$1')}\n`).join('')
      assert.deepEqual(
        await contents(file),
        messages.map((text) => text.replaceAll('\n', '\r\n')),
      )
    }),
    { numRuns: 40 },
  )
})

test('unquoting looks at the beginnings of lines alone', () => {
  for (const [quoted, plain] of [
    ['>From a', 'From a'],
    ['x >From a', 'x >From a'],
    ['\n>From a\n>>From b', '\nFrom a\n>From b'],
    ['>>>', '>>>'],
    ['>From', '>From'],
    ['\n\n>', '\n\n>'],
  ] as const)
    assert.equal(unquote(Buffer.from(quoted)).toString(), plain)
})
