import { test } from 'node:test'
import { ALICE, startImap } from '../support/imap-server.ts'

const letter = (fields: readonly string[]) => `${fields.join('\r\n')}\r\n\r\nx\r\n`

const LETTERS = [
  letter(['Subject: Lunch', 'Message-ID: <a@x>', 'Date: Tue, 3 Nov 2026 10:00:00 +0000']),
  letter(['Subject: Re: Lunch', 'Message-ID: <b@x>', 'In-Reply-To: <a@x>', 'Date: Tue, 3 Nov 2026 12:00:00 +0000']),
  letter(['Subject: Re: Lunch', 'Message-ID: <c@x>', 'References: <a@x>', 'Date: Tue, 3 Nov 2026 11:00:00 +0000']),
  letter(['Subject: more', 'Message-ID: <d@x>', 'References: <a@x> <c@x>', 'Date: Tue, 3 Nov 2026 13:00:00 +0000']),
  letter([
    'Subject: alone',
    'Message-ID: <e@x>',
    'In-Reply-To: your letter of Monday',
    'Date: Mon, 2 Nov 2026 10:00:00 +0000',
  ]),
  letter(['Subject: one', 'Message-ID: <f@x>', 'References: <gone@x>', 'Date: Wed, 4 Nov 2026 10:00:00 +0000']),
  letter(['Subject: two', 'Message-ID: <g@x>', 'References: <"gone"@x>', 'Date: Wed, 4 Nov 2026 09:00:00 +0000']),
]

test('threads by reference and by subject', async () => {
  await using imap = await startImap()
  for (const message of LETTERS) await imap.desk.deliver(ALICE, message)
  await using talk = await imap.login()
  await talk.play(`
    C: s SELECT INBOX
    S: ...
    S: s OK …
    C: 1 THREAD REFERENCES UTF-8 ALL
    S: * THREAD (5)(1 (3 4)(2))((7)(6))
    S: 1 OK …
    C: 2 THREAD ORDEREDSUBJECT US-ASCII 1:3
    S: * THREAD (1 (3)(2))
    S: 2 OK …
    C: 3 STORE 1 +FLAGS.SILENT (\\Deleted)
    S: 3 OK …
    C: 4 EXPUNGE
    S: * 1 EXPUNGE
    S: 4 OK …
    C: 5 UID THREAD REFERENCES UTF-8 NOT SUBJECT alone
    S: * THREAD ((3 4)(2))((7)(6))
    S: 5 OK …
    C: 6 THREAD REFERENCES UTF-8 SUBJECT nowhere
    S: * THREAD
    S: 6 OK …
    C: 7 THREAD JWZ UTF-8 ALL
    S: 7 BAD …
    C: 8 THREAD REFERENCES KOI8-R ALL
    S: 8 NO [BADCHARSET …] …
  `)
})
