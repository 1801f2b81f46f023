/** PREVIEW (RFC 8970): the first words of messages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, ReadMessage, Wanted } from '#custody/store/mail-store.ts'
import { decodeSummary, encodeSummary } from '#formats/message/summary.ts'
import { MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const IMAGE = 'Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n'
const QUOTING = 'Subject: x\r\n\r\nHe said "no\\yes"\r\n'

const SELECT = 'C: s SELECT INBOX\nS: ...\nS: s OK [READ-WRITE] …'

test('the first words, from the summary alone, without setting \\Seen', async () => {
  await using imap = await startImap()
  for (const message of [PLAIN, MULTIPART, IMAGE, QUOTING]) await imap.desk.deliver(ALICE, message)
  imap.desk.wrap = (mail) => seeing(mail, (_, { content }) => assert.ok(!content, 'a content was opened'))
  await using talk = await imap.login()
  await talk.play(`
    ${SELECT}
    C: 1 FETCH 1 PREVIEW
    S: * 1 FETCH (PREVIEW "Noon at the usual place?")
    S: 1 OK Fetched
    C: 2 UID FETCH 2 (PREVIEW)
    S: * 2 FETCH (UID 2 PREVIEW {17}
    S: Straße und Käse)
    S: 2 OK Fetched
    C: 3 FETCH 3:4 (PREVIEW (LAZY) FLAGS)
    S: * 3 FETCH (PREVIEW "" FLAGS (\\Recent))
    S: * 4 FETCH (PREVIEW "He said \\"no\\\\yes\\"" FLAGS (\\Recent))
    S: 3 OK Fetched
  `)
})

test('of mail from before summaries had one: LAZY does not wait for it', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 2; i++) await imap.desk.deliver(ALICE, PLAIN)
  imap.desk.wrap = (mail) => {
    const messages = mail.messages.bind(mail)
    const forgetting = (one: ReadMessage) =>
      one.summary ? { ...one, summary: encodeSummary({ ...decodeSummary(one.summary), preview: null }) } : one
    return Object.assign(mail, {
      messages: async (mailbox: number, uids: readonly number[], wanted: Wanted) =>
        (await messages(mailbox, uids, wanted)).map((one) => one && forgetting(one)),
    })
  }
  await using talk = await imap.login()
  await talk.play(`
    ${SELECT}
    C: 1 FETCH 1:2 PREVIEW (LAZY)
    S: * 1 FETCH (PREVIEW NIL)
    S: * 2 FETCH (PREVIEW NIL)
    S: 1 OK Fetched
    C: 2 FETCH 1:2 PREVIEW
    S: * 1 FETCH (PREVIEW "Noon at the usual place?")
    S: * 2 FETCH (PREVIEW "Noon at the usual place?")
    S: 2 OK Fetched
  `)
})

function seeing(mail: AccountMail, see: (uids: readonly number[], wanted: Wanted) => void): AccountMail {
  const messages = mail.messages.bind(mail)
  return Object.assign(mail, {
    messages: async (mailbox: number, uids: readonly number[], wanted: Wanted) => {
      see(uids, wanted)
      return messages(mailbox, uids, wanted)
    },
  })
}
