/** COMPRESS=DEFLATE (RFC 4978): the same dialogs, with a stream that deflates and inflates between. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { Dialog } from '../support/dialog.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

interface Compressed {
  say(octets: string | Buffer): void
  /** Everything up to the line that begins with `tag`. */
  hear(tag: string): Promise<string>
  readonly talk: Dialog
}

async function compressed(imap: ImapFixture): Promise<Compressed> {
  const talk = await imap.login()
  await talk.play('C: c COMPRESS DEFLATE\nS: c OK …')
  const { socket } = talk
  socket.removeAllListeners('data')
  const [deflate, inflate] = [createDeflateRaw(), createInflateRaw()]
  let heard = ''
  let wake = () => {}
  inflate.on('data', (octets: Buffer) => {
    heard += octets.toString('latin1')
    wake()
  })
  inflate.on('error', () => {})
  // What came before the end is inflated after it.
  inflate.on('close', () => wake())
  socket.on('close', () => inflate.end())
  socket.pipe(inflate)
  deflate.pipe(socket)
  return {
    talk,
    say(octets) {
      deflate.write(octets)
      deflate.flush(constants.Z_SYNC_FLUSH)
    },
    async hear(tag) {
      while (!new RegExp(`^${tag}.*\r\n`, 'm').test(heard)) {
        if (inflate.closed) throw new Error(`the connection ended after ${heard.slice(-200)}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const told = heard
      heard = ''
      return told
    },
  }
}

test('what is said and answered is compressed', async () => {
  await using imap = await startImap()
  const large = Buffer.from(`Subject: large\r\n\r\n${'the same words again and again\r\n'.repeat(20_000)}`)
  await imap.desk.deliver(ALICE, PLAIN)
  await imap.desk.deliver(ALICE, large)
  const { say, hear, talk } = await compressed(imap)
  await using _closing = talk
  say('1 SELECT INBOX\r\n')
  assert.match(await hear('1'), /\* 2 EXISTS\r\n/)
  const before = talk.socket.bytesRead
  say('2 FETCH 2 BODY.PEEK[]\r\n')
  const told = await hear('2')
  assert.ok(told.includes(large.toString('latin1')))
  assert.ok(talk.socket.bytesRead - before < large.length / 10, 'it travels compressed')
  say('3 COMPRESS DEFLATE\r\n')
  assert.match(await hear('3'), /^3 NO \[COMPRESSIONACTIVE\]/)
  // The literal is asked for, and the answer comes at once, though nobody says more.
  say('4 APPEND INBOX {3}\r\n')
  await hear('\\+')
  say('abc\r\n')
  assert.match(await hear('4'), /4 OK \[APPENDUID \d+ 3\]/)
  say('5 IDLE\r\n')
  await hear('\\+')
  await imap.desk.deliver(ALICE, PLAIN)
  await hear('\\* 4 EXISTS')
  say('DONE\r\n6 LOGOUT\r\n')
  assert.match(await hear('6'), /\* BYE/)
  await talk.closed()
})

test('octets that are not deflated end the connection, and only that', async () => {
  await using imap = await startImap()
  {
    const { talk } = await compressed(imap)
    await using _closing = talk
    talk.send(Buffer.alloc(64, 0xff))
    await talk.closed()
  }
  await using again = await imap.login()
  await again.play('C: 1 NOOP\nS: 1 OK …')
})

test('a few octets that stand for a great many are one line that is too long', async () => {
  await using imap = await startImap()
  const { say, hear, talk } = await compressed(imap)
  await using _closing = talk
  const before = process.memoryUsage.rss()
  say(Buffer.alloc(64 * 1024 * 1024, 'x'))
  assert.match(await hear('\\*'), /^\* (BYE|BAD)/)
  assert.ok(process.memoryUsage.rss() - before < 200 * 1024 * 1024)
})

test('unknown mechanisms, and COMPRESS before login', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 COMPRESS DEFLATE
    S: 1 BAD …
    C: 2 LOGIN ${ALICE} "correct horse"
    S: 2 OK …
    C: 3 COMPRESS LZMA
    S: 3 BAD …
  `)
})
