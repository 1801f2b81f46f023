/** BINARY (RFC 3516, RFC 9051 §6.4.5): parts with their transfer encoding undone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dialog } from '../support/dialog.ts'
import { MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

/** With a picture that holds NUL, a part that nobody can decode, and a message inside. */
const ODD = [
  'Subject: odd',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('a\0b\r\n').toString('base64'),
  '--b',
  'Content-Type: text/plain',
  'Content-Transfer-Encoding: x-mystery',
  '',
  'mystery',
  '--b--',
  '',
].join('\r\n')

async function selected(imap: ImapFixture, ...messages: readonly string[]): Promise<Dialog> {
  for (const message of messages) await imap.desk.deliver(ALICE, message)
  const talk = await imap.login()
  await talk.play('C: s SELECT INBOX\nS: ...\nS: s OK [READ-WRITE] …')
  return talk
}

test('NUL in a message is kept, and no literal but a literal8 holds it', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 APPEND INBOX {18}
    S: + …
    C> Subject: x\\r\\n\\r\\na\\0b\\0\\r\\n
    S: 1 OK …
    C: 2 SELECT INBOX
    S: ...
    S: 2 OK …
  `)
  // 0x80 stands for it.
  await talk.play(`
    C: 3 FETCH 1 (BODY.PEEK[] BODY.PEEK[TEXT]<1.2> BINARY.PEEK[1])
    S: * 1 FETCH (BODY[] {18}
    S: Subject: x
    S: …
    S: a\ufffdb\ufffd BODY[TEXT]<1> {2}
    S: \ufffdb BINARY[1] ~{4}
    S: a\0b\0)
    S: 3 OK …
  `)
})

test('parts come decoded, with their decoded size; only what has NUL is a literal8', async () => {
  await using imap = await startImap()
  await using talk = await selected(imap, MULTIPART, ODD)
  await talk.play(`
    C: 1 FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[3] BINARY.SIZE[])
    S: * 1 FETCH (BINARY.SIZE[1] 15 BINARY.SIZE[2] 8 BINARY.SIZE[3] 246 BINARY.SIZE[] ${MULTIPART.length})
    S: 1 OK Fetched
    C: 2 FETCH 1 BINARY.PEEK[1]
    S: * 1 FETCH (BINARY[1] {15}
    S: …
    S: 2 OK Fetched
    C: 3 FETCH 1 BINARY.PEEK[3.2]
    S: * 1 FETCH (BINARY[3.2] {20}
    S: <b>Überraschung</b>)
    S: 3 OK Fetched
    C: 4 FETCH 2 (BINARY.PEEK[1])
    S: * 2 FETCH (BINARY[1] ~{5}
    S: a\0b
    S: )
    S: 4 OK Fetched
    C: 5 FETCH 2 (BINARY.PEEK[1]<2.1> BINARY.PEEK[1]<9.9>)
    S: * 2 FETCH (BINARY[1]<2> {1}
    S: b BINARY[1]<9> {0}
    S: )
    S: 5 OK Fetched
    C: 6 FETCH 1 (BINARY.PEEK[9] BINARY.SIZE[9])
    S: * 1 FETCH (BINARY[9] NIL BINARY.SIZE[9] 0)
    S: 6 OK Fetched
  `)
})

test('a part that nobody can decode is said so, and the rest is answered', async () => {
  await using imap = await startImap()
  await using talk = await selected(imap, ODD)
  await talk.play(`
    C: 1 FETCH 1 (UID BINARY.PEEK[2])
    S: * 1 FETCH (UID 1)
    S: 1 NO [UNKNOWN-CTE] …
    C: 2 FETCH 1 BINARY.SIZE[2]
    S: 2 NO [UNKNOWN-CTE] …
    C: 3 FETCH 1 BODY.PEEK[2]
    S: * 1 FETCH (BODY[2] {7}
    S: mystery)
    S: 3 OK Fetched
  `)
})

test('reading sets \\Seen, peeking and asking for the size do not', async () => {
  await using imap = await startImap()
  await using talk = await selected(imap, PLAIN)
  await talk.play(`
    C: 1 FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])
    S: * 1 FETCH (BINARY[1] {26}
    S: Noon at the usual place?
    S:  BINARY.SIZE[1] 26)
    S: 1 OK Fetched
    C: 2 FETCH 1 FLAGS
    S: * 1 FETCH (FLAGS (\\Recent))
    S: 2 OK Fetched
    C: 3 FETCH 1 BINARY[1]<0.4>
    S: * 1 FETCH (BINARY[1]<0> {4}
    S: Noon FLAGS (\\Seen \\Recent))
    S: 3 OK Fetched
  `)
})

test('a large part that is read piece by piece is decoded once', async () => {
  await using imap = await startImap()
  const octets = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) & 0xff))
  const large = `Subject: x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n${octets.toString('base64')}\r\n`
  await using talk = await selected(imap, large)
  const chunks: Buffer[] = []
  const hear = (chunk: Buffer) => chunks.push(chunk)
  talk.socket.on('data', hear)
  await talk.play(
    Array.from({ length: 3 }, (_, i) => `C: ${i} UID FETCH 1 BINARY.PEEK[1]<${i * 100_000}.100000>`).join('\n'),
  )
  await talk.play('S: ...\nS: 2 OK Fetched')
  talk.socket.off('data', hear)
  const all = Buffer.concat(chunks)
  for (let i = 0; i < 3; i++) {
    const head = Buffer.from(`BINARY[1]<${i * 100_000}> ~{100000}\r\n`)
    const start = all.indexOf(head) + head.length
    assert.ok(
      all.subarray(start, start + 100_000).equals(octets.subarray(i * 100_000, (i + 1) * 100_000)),
      `piece ${i}`,
    )
  }
})
