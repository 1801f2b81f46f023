import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

test('IDLE tells what happens when it happens', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN, { internalDate: 0 })
  await using idle = await imap.login()
  await using other = await imap.login()
  await idle.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 IDLE
    S: + …
  `)
  await imap.desk.deliver(ALICE, PLAIN)
  await idle.play('S: * 2 EXISTS\nS: * 1 RECENT')
  await other.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 STORE 1 +FLAGS.SILENT (\\Deleted)\nS: 2 OK …')
  await idle.play('S: * 1 FETCH (FLAGS (\\Deleted))')
  await other.play('C: 3 EXPUNGE\nS: * 1 EXPUNGE\nS: 3 OK …')
  await idle.play(`
    S: * 1 EXPUNGE
    C: done
    S: 2 OK …
    C: 3 FETCH 1 UID
    S: * 1 FETCH (UID 2)
    S: 3 OK …
  `)
})

test('what came before IDLE is told at its beginning, and nothing twice', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  await imap.desk.deliver(ALICE, PLAIN)
  await talk.play(`
    C: 2 IDLE
    S: + …
    S: * 1 EXISTS
    S: * 1 RECENT
    C: DONE
    C: 3 NOOP
    S: 2 OK …
    S: 3 OK …
  `)
})

test('IDLE without a mailbox, pipelined, and ended wrongly', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 IDLE
    C: DONE
    C: 2 IDLE
    S: + …
    S: 1 OK …
    S: + …
    C: 3 NOOP
    S: 2 BAD Only DONE ends IDLE
    C: 4 NOOP
    S: 4 OK …
    C: 5 IDLE
    S: + …
    CLOSE
    CLOSED
  `)
})

test('news wait while message numbers are in use, and come with the next command', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 3; i++) await imap.desk.deliver(ALICE, PLAIN, { internalDate: 0 })
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  const mail = await imap.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  await mail.setFlags(inbox, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.setFlags(inbox, [3], { mode: 'add', flags: ['\\Answered'] })
  await mail.expunge(inbox)
  await imap.desk.deliver(ALICE, PLAIN)
  await talk.play(`
    C: 2 STORE 2 +FLAGS (\\Seen)
    S: * 2 FETCH (FLAGS (\\Seen))
    S: * 3 FETCH (FLAGS (\\Answered))
    S: * 4 EXISTS
    S: * 1 RECENT
    S: 2 OK …
    C: 3 NOOP
    S: * 1 EXPUNGE
    S: 3 OK …
    C: 4 FETCH 1:* (UID)
    S: * 1 FETCH (UID 2)
    S: * 2 FETCH (UID 3)
    S: * 3 FETCH (UID 4)
    S: 4 OK …
  `)
  assert.equal(imap.desk.open, 1)
})

test('who waits for news of INBOX is not left behind when it is renamed', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using waiting = await imap.login()
  await using other = await imap.login()
  await waiting.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 IDLE\nS: + …')
  await other.play('C: 1 RENAME INBOX Old\nS: 1 OK …')
  await waiting.play('S: * 1 EXPUNGE')
  await imap.desk.deliver(ALICE, PLAIN)
  await waiting.play('S: * 1 EXISTS\nS: * 1 RECENT\nC: DONE\nS: 2 OK …')
})
