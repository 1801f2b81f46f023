import assert from 'node:assert/strict'
import type { TextQuery } from '#formats/message/message-text.ts'
import { type Check, newMessage, type Opened } from './contract-bench.ts'
import { type AccountMail, type MailboxId, NoSuchMailbox, type Uid } from './mail-store.ts'

const bodyHas = (text: string): TextQuery => ({ where: 'body', field: null, text })
const textHas = (text: string): TextQuery => ({ where: 'text', field: null, text })
const fieldHas = (field: string, text: string): TextQuery => ({ where: 'header', field, text })

/** What matches, after what was left open has been looked at. */
export async function found(mail: AccountMail, mailbox: MailboxId, query: TextQuery): Promise<readonly Uid[]> {
  const [matches] = await mail.textMatches(mailbox, [query])
  const { yes, open } = matches!
  return [...yes, ...(await mail.verifyText(mailbox, [...open], query))].sort((a, b) => a - b)
}

const letters = ['first light', 'Second LIGHT, in März', '三つ目の手紙'].map((subject) =>
  newMessage('', {
    content: Buffer.from(`Subject: ${subject}\r\nX-Mark:\r\n\r\nBody of ${subject}.\r\nAnother line\r\n`),
  }),
)

async function filled({ mail, mailbox }: Opened): Promise<MailboxId> {
  const inbox = await mailbox('INBOX')
  for (const letter of letters) await mail.append(inbox, letter)
  return inbox
}

export function searching(check: Check): void {
  check('texts are found in fields, bodies and both, without case and accents', async (opened) => {
    const inbox = await filled(opened)
    const of = (query: TextQuery) => found(opened.mail, inbox, query)
    assert.deepEqual(await of(fieldHas('subject', 'LIGHT')), [1, 2])
    assert.deepEqual(await of(fieldHas('subject', 'body')), [])
    assert.deepEqual(await of(fieldHas('x-mark', '')), [1, 2, 3])
    assert.deepEqual(await of(fieldHas('x-other', '')), [])
    assert.deepEqual(await of(bodyHas('body of s')), [2])
    assert.deepEqual(await of(bodyHas('in marz.')), [2])
    assert.deepEqual(await of(bodyHas('つ目')), [3])
    assert.deepEqual(await of(bodyHas('light\r\nAnother')), [])
    assert.deepEqual(await of(bodyHas('light.\r\nAnother')), [1])
    assert.deepEqual(await of(textHas('ject: fir')), [1])
    assert.deepEqual(await of(textHas('')), [1, 2, 3])
  })

  check('a search sees copies, and not what is gone', async (opened) => {
    const inbox = await filled(opened)
    const archive = await opened.mailbox('Archive')
    await opened.mail.copy(inbox, [3, 1], archive)
    await opened.mail.setFlags(inbox, [1], { mode: 'add', flags: ['\\Deleted'] })
    await opened.mail.expunge(inbox)
    assert.deepEqual(await found(opened.mail, inbox, bodyHas('another')), [2, 3])
    assert.deepEqual(await found(opened.mail, archive, bodyHas('light')), [1])
    assert.deepEqual(await opened.mail.verifyText(inbox, [3, 1, 2, 9], bodyHas('line')), [3, 2])
    const { messages, indexed } = await opened.mail.indexing()
    assert.ok(messages === 3 && indexed <= 3)
  })

  check('many questions have answers in their order, and a mailbox that is gone has none', async (opened) => {
    const inbox = await filled(opened)
    const queries = [bodyHas('second'), fieldHas('subject', '手紙'), bodyHas('nowhere')]
    const matches = await opened.mail.textMatches(inbox, queries)
    for (const [index, expected] of [[2], [3], []].entries()) {
      const { yes, open } = matches[index]!
      const more = await opened.mail.verifyText(inbox, [...open], queries[index]!)
      assert.deepEqual([...yes, ...more], expected)
    }
    const gone = await opened.mail.createMailbox('Gone')
    await opened.mail.deleteMailbox('Gone')
    await assert.rejects(opened.mail.textMatches(gone.id, queries), NoSuchMailbox)
  })
}
