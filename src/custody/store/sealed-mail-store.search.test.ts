import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { fold } from '#formats/message/fold.ts'
import type { TextQuery } from '#formats/message/message-text.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { encodeBase64, encodeQuotedPrintable } from '#formats/message/transfer-encoding.ts'
import { systemClock } from '#lib/clock.ts'
import { type Fields, type Logger, silentLogger } from '#lib/log.ts'
import type { AccountMail, MailboxId, NewMessage } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { messageText } from './read-search.ts'
import { readingKeys, sealingOf } from './sealed-keys.contract.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'

const ALICE = 'alice0000000000000000001'
const words = [
  'garden',
  'Gärten',
  'river',
  'ring',
  'and',
  'the',
  'a',
  'straße',
  '手紙',
  'サーバー',
  'שלום',
  'привет',
  'été',
  'ﬁn',
  'ñ.',
]
const sentence = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 12 }).map((some) => some.join(' '))

interface Letter {
  readonly subject: string
  readonly lines: readonly string[]
  readonly attachment: string
  readonly encoding: 'base64' | 'quoted-printable' | '8bit'
}

const letter: fc.Arbitrary<Letter> = fc.record({
  subject: sentence,
  lines: fc.array(sentence, { minLength: 1, maxLength: 6 }),
  attachment: fc.constantFrom('plan.pdf', 'Rechnung Mai.pdf', 'été.txt'),
  encoding: fc.constantFrom('base64', 'quoted-printable', '8bit'),
})

function messageOf({ subject, lines, attachment, encoding }: Letter): NewMessage {
  const text = Buffer.from(lines.join('\r\n'))
  const encoded = {
    base64: encodeBase64,
    'quoted-printable': encodeQuotedPrintable,
    '8bit': (octets: Buffer) => `${octets}`,
  }
  const content = Buffer.from(
    [
      `Subject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=`,
      'From: Author <author@corpus.test>',
      'Content-Type: multipart/mixed; boundary=cut',
      '',
      '--cut',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Transfer-Encoding: ${encoding}`,
      '',
      encoded[encoding](text),
      '--cut',
      `Content-Type: application/octet-stream; name="${attachment}"`,
      'Content-Transfer-Encoding: base64',
      '',
      'AAECAw==',
      '--cut--',
      '',
    ].join('\r\n'),
  )
  return { content, summary: encodeSummary(summarize(content)), internalDate: 0, flags: [] }
}

const some = (count: number, seed: number) => fc.sample(letter, { numRuns: count, seed }).map(messageOf)

/** Pieces of what the messages say, and now and then something else. */
function queriesOf(messages: readonly NewMessage[], count: number): TextQuery[] {
  const choice = fc.tuple(
    fc.nat(),
    fc.nat(),
    fc.nat(),
    fc.integer({ min: 1, max: 14 }),
    fc.constantFrom('header', 'body', 'text'),
  )
  return fc.sample(choice, { numRuns: count, seed: 5 }).map(([which, section, from, length, where]) => {
    const text = messageText(messages[which % messages.length]!.content)
    const fields = text.fields()!
    const all =
      where === 'header'
        ? fields.map((one) => one.text)
        : where === 'body'
          ? text.bodies()!
          : [...text.bodies()!, ...fields.map(({ name, text }) => `${name}: ${text}`)]
    const characters = [...all[section % all.length]!]
    const start = from % Math.max(1, characters.length)
    const piece = characters.slice(start, start + length).join('')
    return { where, field: 'subject', text: which % 7 === 0 ? `${piece}x` : piece } as TextQuery
  })
}

async function indexed(mail: AccountMail): Promise<void> {
  for (;;) {
    const { messages, indexed } = await mail.indexing()
    if (messages === indexed) return
    await nextTurn()
  }
}

async function isSame(mail: AccountMail, mailbox: MailboxId, queries: readonly TextQuery[]): Promise<void> {
  const uids = (await mail.list(mailbox)).map(({ uid }) => uid)
  const contents = new Map<number, ReturnType<typeof messageText>>()
  for (const read of await mail.messages(mailbox, uids, { content: true }))
    contents.set(read!.uid, messageText(read!.content!))
  const answers = await mail.textMatches(mailbox, queries)
  for (const [index, query] of queries.entries()) {
    const expected = uids.filter((uid) => contents.get(uid)!.matches(query, fold(query.text)))
    const { yes, open } = answers[index]!
    assert.deepEqual([[...yes], [...open]], [expected, []], JSON.stringify(query))
  }
}

test('five hundred queries find what reading finds, before and after the index was closed', async () => {
  await using store = createSealedMailStore(createMemoryMailStore(), {
    sealing: sealingOf,
    logger: silentLogger,
    clock: systemClock,
    indexesTexts: true,
  })
  await store.create(ALICE)
  const messages = some(150, 1)
  for (const message of messages.slice(0, 100)) await store.append(ALICE, 'INBOX', message)
  const queries = queriesOf(messages, 500)
  const inbox = async (mail: AccountMail) => (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  {
    await using mail = await store.open(ALICE, readingKeys(ALICE))
    await indexed(mail)
    await isSame(mail, await inbox(mail), queries)
  }
  for (const message of messages.slice(100)) await store.append(ALICE, 'INBOX', message)
  await using mail = await store.open(ALICE, readingKeys(ALICE))
  await indexed(mail)
  await isSame(mail, await inbox(mail), queries.slice(0, 200))
  const archive = (await mail.mailboxes()).find(({ name }) => name === 'Archive')!.id
  await mail.copy(await inbox(mail), [3, 4, 5], archive)
  await mail.setFlags(await inbox(mail), [3, 70, 120], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(await inbox(mail))
  await isSame(mail, await inbox(mail), queries.slice(0, 50))
  await isSame(mail, archive, queries.slice(0, 50))
})

function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const print = (_: Fields, msg: string) => void lines.push(msg)
  const logger: Logger = { debug: print, info: print, warn: print, error: print, with: () => logger }
  return { logger, lines }
}

test('two sessions share an index, which stays with the one that stays', async () => {
  const { logger, lines } = listening()
  await using store = createSealedMailStore(createMemoryMailStore(), {
    sealing: sealingOf,
    logger,
    clock: systemClock,
    indexesTexts: true,
  })
  await store.create(ALICE)
  for (const message of some(40, 2)) await store.append(ALICE, 'INBOX', message)
  const first = await store.open(ALICE, readingKeys(ALICE))
  await using second = await store.open(ALICE, readingKeys(ALICE))
  const inbox = (await second.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  await Promise.all([first.textMatches(inbox, []), second.textMatches(inbox, []), first[Symbol.asyncDispose]()])
  await indexed(second)
  await isSame(second, inbox, queriesOf(some(40, 2), 20))
  assert.deepEqual(lines, [])
})

test('mail that no key opens matches nothing and stops nobody', async () => {
  let owner = 'somebody00000000000000001'
  await using store = createSealedMailStore(createMemoryMailStore(), {
    sealing: () => sealingOf(owner),
    logger: silentLogger,
    clock: systemClock,
    indexesTexts: true,
  })
  await store.create(ALICE)
  await store.append(ALICE, 'INBOX', some(1, 3)[0]!)
  owner = ALICE
  await store.append(ALICE, 'INBOX', some(1, 4)[0]!)
  await using mail = await store.open(ALICE, readingKeys(ALICE))
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const everything: TextQuery = { where: 'body', field: null, text: '' }
  for (;;) {
    const [{ yes, open } = { yes: [], open: [] }] = await mail.textMatches(inbox, [everything])
    assert.deepEqual(
      await mail.verifyText(inbox, [...open], everything),
      open.length > 0 && yes.length === 0 ? [2] : [],
    )
    if (open.length === 0) {
      assert.deepEqual([...yes], [2])
      return
    }
    await nextTurn()
  }
})
