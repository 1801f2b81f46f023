/** SAVEDATE (RFC 8514): when a message came into its mailbox. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const LONG_AGO = Date.UTC(2001, 0, 1)

test('it is not INTERNALDATE, and a copy has its own', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN, { internalDate: LONG_AGO, savedDate: systemClock.now() })
  await using talk = await imap.login()
  const lines = await talk.play(`
    C: s SELECT INBOX
    S: ...
    S: s OK [READ-WRITE] …
    C: 1 COPY 1 INBOX
    S: * 2 EXISTS
    S: ...
    S: 1 OK …
    C: 2 FETCH 1:2 (INTERNALDATE SAVEDATE)
    S: * 1 FETCH (INTERNALDATE " 1-Jan-2001 00:00:00 +0000" SAVEDATE "…")
    S: * 2 FETCH (INTERNALDATE " 1-Jan-2001 00:00:00 +0000" SAVEDATE "…")
    S: 2 OK Fetched
  `)
  const saved = lines.flatMap(
    (line) => /SAVEDATE "([ 0-9]{2}-[A-Z][a-z]{2}-20[0-9]{2} [0-9:]{8} \+0000)"/.exec(line)?.[1] ?? [],
  )
  assert.equal(saved.length, 2)
  assert.ok(saved.every((date) => !date.includes('2001')))
})
