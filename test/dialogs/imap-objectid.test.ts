/** EMAILID and THREADID (RFC 8474): the same message in several mailboxes, and its conversation. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const SELECT = 'C: s SELECT INBOX\nS: ...\nS: s OK [READ-WRITE] …'
const idOf = (line: string | undefined, name: string) =>
  new RegExp(`${name} \\(([A-Za-z0-9_-]{1,255})\\)`).exec(line!)?.[1]

test('copies are the same email, other messages are others', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 2; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  const lines = await talk.play(`
    ${SELECT}
    C: 1 FETCH 1:2 EMAILID
    S: * 1 FETCH (EMAILID (…))
    S: * 2 FETCH (EMAILID (…))
    S: 1 OK Fetched
    C: 2 COPY 1 Archive
    S: 2 OK …
    C: 3 MOVE 2 Archive
    S: ...
    S: 3 OK …
    C: 4 SELECT Archive
    S: ...
    S: 4 OK …
    C: 5 UID FETCH 1:2 (EMAILID)
    S: * 1 FETCH (UID 1 EMAILID (…))
    S: * 2 FETCH (UID 2 EMAILID (…))
    S: 5 OK Fetched
  `)
  const ids = lines.filter((line) => line.includes('EMAILID (')).map((line) => idOf(line, 'EMAILID'))
  assert.equal(new Set(ids.slice(0, 2)).size, 2)
  assert.deepEqual(ids.slice(2), ids.slice(0, 2))
})

test('a conversation has one id, by its first message', async () => {
  const reply = (n: number, ...fields: string[]) =>
    `Message-ID: <r${n}@beta.test>\r\n${fields.join('\r\n')}\r\n\r\nx\r\n`
  await using imap = await startImap()
  for (const message of [
    PLAIN,
    MULTIPART,
    reply(1, 'References: <1@beta.test> <2@beta.test>', 'In-Reply-To: <2@beta.test>'),
    reply(2, 'In-Reply-To: <elsewhere@beta.test>'),
    'Subject: no id\r\n\r\nx\r\n',
  ])
    await imap.desk.deliver(ALICE, message)
  await using talk = await imap.login()
  const lines = await talk.play(`
    ${SELECT}
    C: 1 FETCH 1:* (THREADID)
    S: * 1 FETCH (THREADID (T…))
    S: * 2 FETCH (THREADID (T…))
    S: * 3 FETCH (THREADID (T…))
    S: * 4 FETCH (THREADID (T…))
    S: * 5 FETCH (THREADID NIL)
    S: 1 OK Fetched
  `)
  const [first, second, third, fourth] = lines
    .filter((line) => line.includes('THREADID ('))
    .map((line) => idOf(line, 'THREADID'))
  assert.equal(second, first)
  assert.equal(third, first)
  assert.notEqual(fourth, first)
})
