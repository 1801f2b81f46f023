/** Connections that end where no protocol wants them to: in the middle of a literal, coming or going. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dialog } from '../support/dialog.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'
import { eventually } from '../support/peers/run.ts'

const LARGE = Buffer.from(`Subject: large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(8000)}`)

/** Cut off, or ended in good order: the server may see either. */
const ends: Readonly<Record<string, (talk: Dialog) => void>> = {
  'cut off': (talk) => {
    talk.socket.destroy()
  },
  'ended by the client': (talk) => {
    talk.socket.end()
  },
}

async function allClosed(imap: ImapFixture): Promise<void> {
  await eventually('all sessions are closed', async () => imap.desk.open === 0)
}

for (const [how, end] of Object.entries(ends)) {
  test(`a connection ${how} within a literal leaves nothing behind`, async () => {
    await using imap = await startImap()
    const halves = [
      // The literal is announced, and half of it comes.
      `1 APPEND INBOX {${PLAIN.length}}`,
      '1 APPEND INBOX (\\Seen) {4000}',
      '1 CREATE {40}',
      '1 SEARCH SUBJECT {40}',
    ]
    for (const command of halves) {
      await using talk = await imap.login()
      if (command.includes('SEARCH')) await talk.play('C: 0 SELECT INBOX\nS: ...\nS: 0 OK …')
      await talk.play(`C: ${command}\nS: + …\nC> ${PLAIN.slice(0, 20).replaceAll('\r\n', '\\r\\n')}`)
      end(talk)
      await allClosed(imap)
    }
    // Of several messages in one command the first is complete; all or none are kept.
    await using talk = await imap.login()
    await talk.play(`
      C: 1 APPEND INBOX {${PLAIN.length}}
      S: + …
      C> ${PLAIN.replaceAll('\r\n', '\\r\\n')}
      C>  {${PLAIN.length}}\\r\\n
      S: + …
      C> Half
    `)
    end(talk)
    await allClosed(imap)
    await using after = await imap.login()
    await after.play('C: 1 STATUS INBOX (MESSAGES UIDNEXT)\nS: * STATUS "INBOX" (MESSAGES 0 UIDNEXT 1)\nS: 1 OK …')
  })
}

test('a client that goes while a large literal is on its way ends its session, and no other one', async () => {
  await using imap = await startImap()
  for (let count = 0; count < 3; count++) await imap.desk.deliver(ALICE, LARGE)
  await using other = await imap.login()
  await other.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  for (const items of ['BODY.PEEK[]', 'BODY.PEEK[TEXT]', 'BODY.PEEK[]<1000.7000000>']) {
    await using talk = await imap.login()
    await talk.play(`C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 FETCH 1:3 (UID ${items})\nS: * 1 FETCH (UID 1 BODY[…`)
    // Some of it is there, most of it waits.
    talk.socket.pause()
    talk.socket.destroy()
    await talk.closed()
    await eventually('the session is closed', async () => imap.desk.open === 1)
  }
  const [line] = await other.play('C: 2 FETCH 1 (RFC822.SIZE)\nS: * 1 FETCH (RFC822.SIZE …)\nS: 2 OK …')
  assert.equal(line, `* 1 FETCH (RFC822.SIZE ${LARGE.length})`)
})

test('a STORE that was sent whole is done, although its client does not wait for the answer', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  const talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  talk.send('2 STORE 1 +FLAGS.SILENT (\\Flagged)\r\n')
  talk.socket.end()
  await allClosed(imap)
  await using after = await imap.login()
  await after.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 FETCH 1 FLAGS
    S: * 1 FETCH (FLAGS (\\Flagged…))
    S: 2 OK …
  `)
})
