/** What is told of mailboxes beyond their counts (RFC 8438, 7889, 8474, 9208). */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

test('STATUS of sizes, deleted messages and limits', async () => {
  await using imap = await startImap({ limits: { messageSize: 9_000 } })
  await imap.desk.deliver(ALICE, PLAIN)
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Deleted'] })
  await using talk = await imap.login()
  const octets = PLAIN.length
  await talk.play(`
    C: 1 STATUS INBOX (SIZE DELETED DELETED-STORAGE APPENDLIMIT)
    S: * STATUS "INBOX" (SIZE ${2 * octets} DELETED 1 DELETED-STORAGE ${octets} APPENDLIMIT 9000)
    S: 1 OK …
    C: 2 STATUS Sent (SIZE DELETED-STORAGE HIGHESTMODSEQ)
    S: * STATUS "Sent" (SIZE 0 DELETED-STORAGE 0 HIGHESTMODSEQ …)
    S: 2 OK …
    C: 3 CAPABILITY
    S: * CAPABILITY … APPENDLIMIT=9000 …
    S: 3 OK …
  `)
})

test('a mailbox keeps its id when it is renamed, and no other one gets it', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  const [created] = await talk.play(`
    C: 1 CREATE a
    S: 1 OK [MAILBOXID (F…)] Created
  `)
  const id = created!.match(/\((F[^)]+)\)/)![1]
  await talk.play(`
    C: 2 RENAME a b
    S: 2 OK …
    C: 3 STATUS b (MAILBOXID)
    S: * STATUS "b" (MAILBOXID (${id}))
    S: 3 OK …
    C: 4 DELETE b
    S: 4 OK …
    C: 5 CREATE b
    S: 5 OK [MAILBOXID (F…)] Created
  `)
  const [again] = await talk.play('C: 6 STATUS b (MAILBOXID)\nS: * STATUS "b" (MAILBOXID (F…))\nS: 6 OK …')
  if (again!.includes(`(${id})`)) throw new Error('the id was given twice')
})

test('quota: one root for the account, with nothing in it where there is no limit', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 GETQUOTAROOT INBOX
    S: * QUOTAROOT "INBOX" ""
    S: * QUOTA "" ()
    S: 1 OK …
    C: 2 GETQUOTA ""
    S: * QUOTA "" ()
    S: 2 OK …
  `)
  await imap.desk.store.setQuota('alice', 4096)
  await talk.play(`
    C: 3 GETQUOTAROOT Sent
    S: * QUOTAROOT "Sent" ""
    S: * QUOTA "" (STORAGE 0 4)
    S: 3 OK …
    C> 4 APPEND INBOX {3+}\\r\\nabc\\r\\n
    S: 4 OK …
    C: 5 GETQUOTA ""
    S: * QUOTA "" (STORAGE 2 4)
    S: 5 OK …
    C: 6 GETQUOTA other
    S: 6 NO [NONEXISTENT] …
    C: 7 SETQUOTA "" (STORAGE 9)
    S: 7 NO [NOPERM] …
    C: 8 GETQUOTAROOT missing
    S: 8 NO [NONEXISTENT] …
    C> 9 APPEND INBOX {4000+}\\r\\n${'x'.repeat(4000)}\\r\\n
    S: 9 NO [OVERQUOTA] …
  `)
})
