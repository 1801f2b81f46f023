/** What every mail store promises. Each implementation's test calls `contract` with a way to make an empty store. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { AccountId } from '../accounts/directory.ts'
import {
  type AccountMail,
  type FlagChange,
  MailboxExists,
  type MailboxId,
  MailboxRefused,
  type MailStore,
  type MessageRow,
  type NewMessage,
  NoSuchAccount,
  NoSuchMailbox,
  OverQuota,
  type ReadingKeys,
} from './mail-store.ts'

export interface ContractStore extends AsyncDisposable {
  readonly store: MailStore
  /** Keys that open the account's mail; null for stores that need none. */
  keys(account: AccountId): ReadingKeys | null
}

type MakeStore = () => Promise<ContractStore>

let accountsMade = 0
/** Every test has accounts of its own, so that stores that are slow to start can be shared. */
const newAccount = (): AccountId => `account${String(++accountsMade).padStart(16, '0')}`

const DATE = 1_700_000_000_000

export function newMessage(text: string, more: Partial<NewMessage> = {}): NewMessage {
  return {
    content: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`),
    summary: Buffer.from(`summary of ${text}`),
    internalDate: DATE,
    flags: [],
    ...more,
  }
}

const uidsOf = (rows: readonly MessageRow[]) => rows.map((row) => row.uid)
const flagsOf = (rows: readonly MessageRow[]) => rows.map((row) => [...row.flags].sort().join(' '))
const text = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString())

interface Opened {
  readonly account: AccountId
  readonly store: MailStore
  readonly mail: AccountMail
  mailbox(name: string): Promise<MailboxId>
}

async function withAccount(make: MakeStore, run: (opened: Opened) => Promise<void>): Promise<void> {
  await using made = await make()
  const account = newAccount()
  await made.store.create(account)
  await using mail = await made.store.open(account, made.keys(account))
  const mailbox = async (name: string) => {
    const found = (await mail.mailboxes()).find((one) => one.name === name)
    assert.ok(found, `mailbox ${name}`)
    return found.id
  }
  await run({ account, store: made.store, mail, mailbox })
}

/** Registers the tests. `name` says which store they are run on. */
export function contract(name: string, make: MakeStore): void {
  describe(name, () => {
    const check = (title: string, run: (opened: Opened) => Promise<void>) => test(title, () => withAccount(make, run))
    accounts(make)
    appending(check)
    mailboxes(check)
    names(check)
    flags(check)
    copying(check)
    removing(check)
    quotas(check)
    coverages(check)
    changes(make, check)
  })
}

type Check = (title: string, run: (opened: Opened) => Promise<void>) => void

function accounts(make: MakeStore): void {
  test('an account begins with its six mailboxes, subscribed; making it again changes nothing', async () => {
    await using made = await make()
    const alice = newAccount()
    await made.store.create(alice)
    await made.store.append(alice, 'INBOX', newMessage('one'))
    await made.store.create(alice)
    await using mail = await made.store.open(alice, made.keys(alice))
    const found = await mail.mailboxes()
    assert.deepEqual(
      found.map((one) => [one.name, one.specialUse, one.subscribed]),
      [
        ['Archive', 'Archive', true],
        ['Drafts', 'Drafts', true],
        ['INBOX', null, true],
        ['Junk', 'Junk', true],
        ['Sent', 'Sent', true],
        ['Trash', 'Trash', true],
      ],
    )
    assert.equal(new Set(found.map((one) => one.uidValidity)).size, 6)
    assert.equal((await mail.status(found[2]!.id)).messages, 1)
  })

  test('accounts do not see each other, and what is removed is gone', async () => {
    await using made = await make()
    const [alice, bob] = [newAccount(), newAccount()]
    await made.store.create(alice)
    await made.store.create(bob)
    await made.store.append(alice, 'INBOX', newMessage('for alice'))
    assert.equal((await made.store.quota(bob)).used, 0)
    await made.store.remove(alice)
    await assert.rejects(made.store.append(alice, 'INBOX', newMessage('late')), NoSuchAccount)
    await made.store.create(alice)
    assert.equal((await made.store.quota(alice)).used, 0)
  })

  test('what was never made is refused', async () => {
    await using made = await make()
    const alice = newAccount()
    await assert.rejects(made.store.append(alice, 'INBOX', newMessage('one')), NoSuchAccount)
    await assert.rejects(made.store.quota(alice), NoSuchAccount)
    await assert.rejects(made.store.open(alice, made.keys(alice)), NoSuchAccount)
  })
}

function appending(check: Check): void {
  check('content and summary come back as they went in', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const octets = [0, 1, 1000, 40_000, 300_000].map((size) => randomBytes(size))
    for (const content of octets)
      await mail.append(inbox, newMessage('x', { content, summary: content.subarray(0, 900) }))
    const rows = await mail.list(inbox)
    assert.deepEqual(uidsOf(rows), [1, 2, 3, 4, 5])
    for (const [i, content] of octets.entries()) {
      assert.ok(content.equals((await mail.read(inbox, i + 1))!), `${content.byteLength} octets`)
      assert.ok(rows[i]!.paddedSize >= content.byteLength)
    }
    const summaries = await mail.summaries(inbox, [5, 99, 1, 2])
    assert.deepEqual(
      summaries.map((summary) => summary && Buffer.from(summary).toString('hex')),
      [octets[4]!.subarray(0, 900).toString('hex'), null, '', octets[1]!.toString('hex')],
    )
    assert.equal(await mail.read(inbox, 99), null)
  })

  check('nothing is said of the protection of what came in clear, or is gone', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    await mail.append(inbox, newMessage('clear'))
    assert.deepEqual(await mail.protections(inbox, [1, 99, 1]), [null, null, null])
    assert.deepEqual(await mail.protections(inbox, []), [])
  })

  check('the row says when, and with which flags', async ({ mail, mailbox }) => {
    const drafts = await mailbox('Drafts')
    await mail.append(
      drafts,
      newMessage('x', { internalDate: DATE + 999, flags: ['\\DRAFT', '\\Seen', '\\Recent', '$Work'] }),
    )
    const [row] = await mail.list(drafts)
    assert.equal(row!.internalDate, DATE)
    assert.deepEqual(flagsOf([row!]), ['$Work \\Draft \\Seen'])
  })

  check('delivery finds mailboxes by name, and INBOX when there is none', async ({ account, store, mail, mailbox }) => {
    const sent = await store.append(account, 'Sent', newMessage('sent'))
    assert.equal(sent.mailbox, await mailbox('Sent'))
    const inbox = await mailbox('INBOX')
    for (const name of ['inbox', 'Nowhere', 'a//b', '']) {
      assert.equal((await store.append(account, name, newMessage(name))).mailbox, inbox)
    }
    assert.deepEqual(uidsOf(await mail.list(inbox)), [1, 2, 3, 4])
  })

  check(
    'a delivery key is delivered once, wherever the message went since',
    async ({ account, store, mail, mailbox }) => {
      const first = await store.append(account, 'INBOX', newMessage('once', { deliveryKey: 'q1/alice' }))
      await mail.move(first.mailbox, [first.uid], await mailbox('Trash'))
      const again = await store.append(account, 'INBOX', newMessage('once', { deliveryKey: 'q1/alice' }))
      assert.deepEqual(again, first)
      const both = await Promise.all(
        [1, 2].map(() => store.append(account, 'INBOX', newMessage('two', { deliveryKey: 'q2/alice' }))),
      )
      assert.deepEqual(both[0], both[1])
      assert.equal((await mail.list(first.mailbox)).length, 1)
    },
  )

  check('many at once get a uid each', async ({ account, store, mail, mailbox }) => {
    const appended = await Promise.all(
      Array.from({ length: 40 }, (_, i) => store.append(account, 'INBOX', newMessage(`m${i}`))),
    )
    const inbox = await mailbox('INBOX')
    for (const [i, { uid }] of appended.entries()) {
      assert.equal(text(await mail.read(inbox, uid)), `Subject: m${i}\r\n\r\nm${i}\r\n`)
    }
    assert.equal(new Set(appended.map((one) => one.uid)).size, 40)
    assert.equal((await mail.status(inbox)).uidNext, 41)
  })

  check('a mailbox that is gone is told apart from a message that is gone', async ({ mail, mailbox }) => {
    const gone = (await mail.createMailbox('gone')).id
    await mail.deleteMailbox('gone')
    const inbox = await mailbox('INBOX')
    await assert.rejects(mail.append(gone, newMessage('x')), NoSuchMailbox)
    await assert.rejects(mail.list(gone), NoSuchMailbox)
    await assert.rejects(mail.read(gone, 1), NoSuchMailbox)
    await assert.rejects(mail.summaries(gone, [1]), NoSuchMailbox)
    await assert.rejects(mail.protections(gone, [1]), NoSuchMailbox)
    await assert.rejects(mail.status(gone), NoSuchMailbox)
    await assert.rejects(mail.changesSince(gone, 0), NoSuchMailbox)
    await assert.rejects(mail.setFlags(gone, [1], { mode: 'add', flags: [] }), NoSuchMailbox)
    await assert.rejects(mail.expunge(gone), NoSuchMailbox)
    await assert.rejects(mail.copy(inbox, [1], gone), NoSuchMailbox)
    await assert.rejects(mail.move(gone, [1], inbox), NoSuchMailbox)
  })
}

function mailboxes(check: Check): void {
  check('a mailbox is made with its superiors, once', async ({ mail }) => {
    const made = await mail.createMailbox('Work/2024/Invoices')
    assert.equal(made.subscribed, false)
    const found = (await mail.mailboxes()).map((one) => one.name)
    assert.deepEqual(
      found.filter((one) => one.startsWith('Work')),
      ['Work', 'Work/2024', 'Work/2024/Invoices'],
    )
    await assert.rejects(mail.createMailbox('Work/2024'), MailboxExists)
    await assert.rejects(mail.createMailbox('inbox'), MailboxExists)
    assert.deepEqual(await mail.status(made.id), {
      messages: 0,
      unseen: 0,
      deleted: 0,
      uidNext: 1,
      uidValidity: made.uidValidity,
      highestModseq: (await mail.status(made.id)).highestModseq,
      size: 0,
    })
  })

  check('a special use belongs to one mailbox', async ({ mail }) => {
    await assert.rejects(mail.createMailbox('Outbox', 'Sent'), MailboxRefused)
    await mail.deleteMailbox('Sent')
    assert.equal((await mail.createMailbox('Outbox', 'Sent')).specialUse, 'Sent')
  })

  check('a name that is made again has another UIDVALIDITY', async ({ mail }) => {
    const seen = new Set<number>()
    for (let i = 0; i < 5; i++) {
      const made = await mail.createMailbox('again')
      seen.add(made.uidValidity)
      await mail.append(made.id, newMessage('x'))
      await mail.deleteMailbox('again')
    }
    assert.equal(seen.size, 5)
    assert.deepEqual(
      [...seen],
      [...seen].sort((a, b) => a - b),
    )
  })

  check('deleting leaves inferiors and frees what was in it', async ({ mail }) => {
    const work = await mail.createMailbox('Work')
    await mail.createMailbox('Work/2024')
    await mail.append(work.id, newMessage('x'))
    await mail.deleteMailbox('Work')
    const found = (await mail.mailboxes()).map((one) => one.name)
    assert.ok(!found.includes('Work') && found.includes('Work/2024'))
    assert.equal((await mail.quota()).used, 0)
    await assert.rejects(mail.deleteMailbox('INBOX'), MailboxRefused)
    await assert.rejects(mail.deleteMailbox('nothing'), NoSuchMailbox)
  })

  check('renaming takes inferiors along and makes superiors', async ({ mail }) => {
    const work = await mail.createMailbox('Work')
    await mail.createMailbox('Work/2024')
    await mail.createMailbox('Workshop')
    await mail.append(work.id, newMessage('kept'))
    await mail.renameMailbox('Work', 'Old/Jobs')
    const found = await mail.mailboxes()
    const ours = found.filter((one) => one.specialUse === null && one.name !== 'INBOX').map((one) => one.name)
    assert.deepEqual(ours, ['Old', 'Old/Jobs', 'Old/Jobs/2024', 'Workshop'])
    assert.equal(found.find((one) => one.name === 'Old/Jobs')!.id, work.id)
    assert.match(text(await mail.read(work.id, 1))!, /kept/)
  })

  check('renaming to a name that is there, or below itself, is refused', async ({ mail }) => {
    await mail.createMailbox('a/x')
    await mail.createMailbox('b/x')
    await assert.rejects(mail.renameMailbox('a', 'b'), MailboxExists)
    await assert.rejects(mail.renameMailbox('a', 'a'), MailboxExists)
    await assert.rejects(mail.renameMailbox('a', 'INBOX'), MailboxExists)
    await assert.rejects(mail.renameMailbox('a', 'a/b/c'), MailboxRefused)
    await assert.rejects(mail.renameMailbox('none', 'c'), NoSuchMailbox)
    await mail.deleteMailbox('b')
    await assert.rejects(mail.renameMailbox('a', 'b'), MailboxExists, 'its inferior b/x is still there')
    assert.deepEqual(
      (await mail.mailboxes()).map((one) => one.name).filter((one) => /^[ab]/.test(one)),
      ['a', 'a/x', 'b/x'],
    )
  })

  check('renaming INBOX moves its messages and leaves it empty, its inferiors in place', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    await mail.append(inbox, newMessage('old mail'))
    await mail.createMailbox('INBOX/sub')
    const before = await mail.status(inbox)
    await mail.renameMailbox('inbox', 'INBOX/old')
    const found = await mail.mailboxes()
    assert.deepEqual(
      found.filter((one) => one.name.startsWith('INBOX')).map((one) => one.name),
      ['INBOX', 'INBOX/old', 'INBOX/sub'],
    )
    const [now, old] = [await mailbox('INBOX'), await mailbox('INBOX/old')]
    assert.equal(now, inbox, 'who has INBOX selected still sees it')
    const after = await mail.status(now)
    assert.deepEqual([after.messages, after.uidValidity, after.uidNext], [0, before.uidValidity, before.uidNext])
    assert.deepEqual((await mail.changesSince(now, before.highestModseq)).vanished, [1])
    const [row] = await mail.list(old)
    assert.match(text(await mail.read(old, row!.uid))!, /old mail/)
    assert.equal(text((await mail.summaries(old, [row!.uid]))[0]!), 'summary of old mail')
    const validities = found.map((one) => one.uidValidity)
    assert.equal(new Set(validities).size, validities.length)
  })
}

function names(check: Check): void {
  check('names are NFC, compared exactly, INBOX without case', async ({ mail }) => {
    await mail.createMailbox('Cafe\u0301')
    await assert.rejects(mail.createMailbox('Caf\u00e9'), MailboxExists)
    await mail.createMailbox('cAF\u00e9')
    assert.equal((await mail.createMailbox('InBoX/Sub')).name, 'INBOX/Sub')
    for (const name of [
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      'a\u0000',
      'a\r\nb',
      'x'.repeat(1001),
      Array(33).fill('l').join('/'),
    ])
      await assert.rejects(mail.createMailbox(name), MailboxRefused, JSON.stringify(name))
  })

  check('subscriptions outlive their mailboxes', async ({ mail }) => {
    await mail.createMailbox('List')
    await mail.subscribe('List', true)
    await mail.subscribe('List', true)
    await mail.subscribe('never-made', true)
    await mail.subscribe('Junk', false)
    await mail.deleteMailbox('List')
    assert.deepEqual(await mail.subscriptions(), ['Archive', 'Drafts', 'INBOX', 'List', 'Sent', 'Trash', 'never-made'])
    assert.equal((await mail.createMailbox('List')).subscribed, true)
  })
}

function flags(check: Check): void {
  const set = (mode: FlagChange['mode'], ...names: string[]): FlagChange => ({ mode, flags: names })

  check(
    'flags are added, removed and replaced; case of keywords is kept and not compared',
    async ({ mail, mailbox }) => {
      const inbox = await mailbox('INBOX')
      for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name, { flags: ['$Label1'] }))
      await mail.setFlags(inbox, [1, 2], set('add', '\\Seen', '$LABEL1', 'Work'))
      assert.deepEqual(flagsOf(await mail.list(inbox)), ['$Label1 Work \\Seen', '$Label1 Work \\Seen', '$Label1'])
      await mail.setFlags(inbox, [2, 3, 4], set('remove', '$label1', '\\Answered'))
      assert.deepEqual(flagsOf(await mail.list(inbox)), ['$Label1 Work \\Seen', 'Work \\Seen', ''])
      const { rows, spared } = await mail.setFlags(inbox, [3, 1], set('replace', '\\Flagged'))
      assert.deepEqual([uidsOf(rows), flagsOf(rows), spared], [[1, 3], ['\\Flagged', '\\Flagged'], []])
      await assert.rejects(mail.setFlags(inbox, [1], set('add', 'two words')), MailboxRefused)
    },
  )

  check('every change takes a higher MODSEQ, and no change takes none', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name))
    const before = await mail.status(inbox)
    const { rows } = await mail.setFlags(inbox, [2], set('add', '\\Seen'))
    const after = await mail.status(inbox)
    assert.ok(rows[0]!.modseq > before.highestModseq)
    assert.equal(after.highestModseq, rows[0]!.modseq)
    const same = await mail.setFlags(inbox, [2], set('add', '\\Seen'))
    assert.deepEqual(same.rows, rows)
    assert.deepEqual(await mail.status(inbox), after)
  })

  check('unchangedSince spares what changed meanwhile', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name))
    const { highestModseq } = await mail.status(inbox)
    await mail.setFlags(inbox, [2], set('add', '\\Seen'))
    const change = { ...set('add', '\\Flagged'), unchangedSince: highestModseq }
    const { rows, spared } = await mail.setFlags(inbox, [1, 2, 3, 99], change)
    assert.deepEqual([uidsOf(rows), spared], [[1, 3], [2]])
    assert.deepEqual(flagsOf(await mail.list(inbox)), ['\\Flagged', '\\Seen', '\\Flagged'])
  })

  check('the status counts', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const sets = [['\\Seen'], [], ['\\Deleted'], ['\\Seen', '\\Deleted']]
    for (const flags of sets) await mail.append(inbox, newMessage('x', { flags }))
    const rows = await mail.list(inbox)
    const status = await mail.status(inbox)
    assert.deepEqual([status.messages, status.unseen, status.deleted], [4, 2, 2])
    assert.equal(
      status.size,
      rows.reduce((sum, row) => sum + row.paddedSize, 0),
    )
    await mail.setFlags(inbox, [1, 2, 3], set('replace', '\\Deleted'))
    const later = await mail.status(inbox)
    assert.deepEqual([later.messages, later.unseen, later.deleted], [4, 3, 4])
    await mail.expunge(inbox, [1, 2])
    const last = await mail.status(inbox)
    assert.deepEqual([last.messages, last.unseen, last.deleted, last.uidNext], [2, 1, 2, 5])
  })
}

function copying(check: Check): void {
  check('copies have the same octets, date and flags, and live on their own', async ({ mail, mailbox }) => {
    const [inbox, archive] = [await mailbox('INBOX'), await mailbox('Archive')]
    for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name, { flags: ['\\Seen', 'k'] }))
    await mail.append(archive, newMessage('there'))
    const copied = await mail.copy(inbox, [3, 1, 77, 3], archive)
    assert.deepEqual(copied.uids, [
      [1, 2],
      [3, 3],
    ])
    assert.equal(copied.uidValidity, (await mail.status(archive)).uidValidity)
    await mail.setFlags(inbox, [1, 2, 3], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(inbox)
    const rows = await mail.list(archive)
    assert.deepEqual(
      flagsOf(rows),
      ['', '\\Seen k', '\\Seen k'].map((one) => one.split(' ').sort().join(' ')),
    )
    assert.match(text(await mail.read(archive, 3))!, /Subject: c/)
    assert.deepEqual((await mail.summaries(archive, [2, 3])).map(text), ['summary of a', 'summary of c'])
  })

  check('large contents are shared by copies and go with the last', async ({ mail, mailbox }) => {
    const [inbox, archive] = [await mailbox('INBOX'), await mailbox('Archive')]
    const content = randomBytes(400_000)
    await mail.append(inbox, newMessage('large', { content }))
    const one = (await mail.quota()).used
    await mail.copy(inbox, [1], archive)
    await mail.copy(inbox, [1], inbox)
    assert.ok((await mail.quota()).used < one + 100_000)
    await mail.setFlags(inbox, [1, 2], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(inbox)
    assert.ok(content.equals((await mail.read(archive, 1))!))
    await mail.setFlags(archive, [1], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(archive)
    assert.equal((await mail.quota()).used, 0)
  })

  check('moving keeps the order and makes the originals vanish', async ({ mail, mailbox }) => {
    const [inbox, trash] = [await mailbox('INBOX'), await mailbox('Trash')]
    for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name))
    const { highestModseq } = await mail.status(inbox)
    const moved = await mail.move(inbox, [3, 1], trash)
    assert.deepEqual(moved.uids, [
      [1, 1],
      [3, 2],
    ])
    assert.deepEqual(uidsOf(await mail.list(inbox)), [2])
    const { vanished } = await mail.changesSince(inbox, highestModseq)
    assert.deepEqual(vanished, [1, 3])
    assert.deepEqual((await mail.summaries(trash, [1, 2])).map(text), ['summary of a', 'summary of c'])
    const again = await mail.move(trash, [1], trash)
    assert.deepEqual(again.uids, [[1, 3]])
    assert.match(text(await mail.read(trash, 3))!, /Subject: a/)
    assert.deepEqual((await mail.move(inbox, [99], trash)).uids, [])
  })
}

function removing(check: Check): void {
  check('only what is marked goes, of those asked for', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const name of ['a', 'b', 'c', 'd']) await mail.append(inbox, newMessage(name))
    await mail.setFlags(inbox, [1, 2, 4], { mode: 'add', flags: ['\\Deleted'] })
    assert.deepEqual(await mail.expunge(inbox, [3, 4]), [4])
    assert.deepEqual(await mail.expunge(inbox), [1, 2])
    assert.deepEqual(await mail.expunge(inbox), [])
    assert.deepEqual(uidsOf(await mail.list(inbox)), [3])
    assert.equal(await mail.read(inbox, 4), null)
    assert.equal((await mail.append(inbox, newMessage('e'))).uid, 5)
  })
}

function quotas(check: Check): void {
  check('what does not fit is refused, and room comes back', async ({ account, store, mail, mailbox }) => {
    const [inbox, archive] = [await mailbox('INBOX'), await mailbox('Archive')]
    await store.setQuota(account, 60_000)
    const big = newMessage('big', { content: randomBytes(40_000) })
    await store.append(account, 'INBOX', big)
    await assert.rejects(store.append(account, 'INBOX', big), OverQuota)
    await assert.rejects(mail.append(inbox, big), OverQuota)
    const { used, limit } = await store.quota(account)
    assert.equal(limit, 60_000)
    assert.ok(used >= 40_000 && used <= 60_000)
    await store.setQuota(account, used)
    await assert.rejects(mail.copy(inbox, [1], archive), OverQuota)
    assert.equal((await mail.list(archive)).length, 0)
    assert.equal((await mail.move(inbox, [1], archive)).uids.length, 1, 'moving needs no room')
    await mail.setFlags(archive, [1], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(archive)
    assert.equal((await mail.quota()).used, 0)
    await store.append(account, 'INBOX', newMessage('small'))
    await store.setQuota(account, null)
    await store.append(account, 'INBOX', big)
    assert.equal((await store.quota(account)).limit, null)
  })
}

function coverages(check: Check): void {
  check('all that comes is sealed to the current key; copies count once', async ({ account, store, mail, mailbox }) => {
    assert.deepEqual(await mail.coverage(), { contents: 0, current: 0, waiting: 0, unreadable: 0, state: 'off' })
    const [inbox, archive] = [await mailbox('INBOX'), await mailbox('Archive')]
    for (const name of ['a', 'b']) await store.append(account, 'INBOX', newMessage(name))
    await mail.append(archive, newMessage('c'))
    await mail.copy(inbox, [1, 2], archive)
    assert.deepEqual(await mail.coverage(), { contents: 3, current: 3, waiting: 0, unreadable: 0, state: 'off' })
    await mail.setFlags(inbox, [1, 2], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(inbox)
    await mail.setFlags(archive, [1], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(archive)
    assert.equal((await mail.coverage()).contents, 2)
  })

  check('nothing that came in clear is known as sealed', async ({ account, store, mail, mailbox }) => {
    const content = Buffer.from('Message-ID: <a@x>\r\nSubject: a\r\n\r\na\r\n')
    await store.append(account, 'INBOX', newMessage('a', { content }))
    await mail.list(await mailbox('INBOX'))
    assert.deepEqual(await mail.sealedAmong(['a@x', '<b@x>']), [])
  })

  check('the state of re-sealing is kept with the account', async ({ account, store, mail }) => {
    assert.equal(await mail.resealing(), 'off')
    for (const state of ['running', 'paused', 'off', 'paused'] as const) {
      assert.equal(await mail.resealing(state), state)
      await using other = await store.open(account, null)
      assert.deepEqual([await other.resealing(), (await other.coverage()).state], [state, state])
    }
  })

  check('re-sealing where nothing waits changes nothing', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    await mail.append(inbox, newMessage('a', { flags: ['\\Seen'] }))
    const before = [await mail.list(inbox), await mail.status(inbox), await mail.quota()]
    assert.deepEqual(await mail.reseal(10), { contents: 1, current: 1, waiting: 0, unreadable: 0, state: 'off' })
    assert.deepEqual([await mail.list(inbox), await mail.status(inbox), await mail.quota()], before)
    assert.equal(text(await mail.read(inbox, 1)), 'Subject: a\r\n\r\na\r\n')
  })
}

function changes(make: MakeStore, check: Check): void {
  check('changesSince tells what is new, changed and gone', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (let i = 0; i < 6; i++) await mail.append(inbox, newMessage(`m${i}`))
    const { highestModseq } = await mail.status(inbox)
    assert.deepEqual(await mail.changesSince(inbox, highestModseq), { changed: [], vanished: [], highestModseq })
    await mail.setFlags(inbox, [2], { mode: 'add', flags: ['\\Seen'] })
    await mail.setFlags(inbox, [3, 4, 6], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(inbox, [4])
    const middle = (await mail.status(inbox)).highestModseq
    await mail.expunge(inbox)
    await mail.append(inbox, newMessage('new'))
    const all = await mail.changesSince(inbox, highestModseq)
    assert.deepEqual(
      [uidsOf(all.changed), all.vanished],
      [
        [2, 7],
        [3, 4, 6],
      ],
    )
    assert.equal(all.highestModseq, (await mail.status(inbox)).highestModseq)
    const later = await mail.changesSince(inbox, middle)
    assert.deepEqual([uidsOf(later.changed), later.vanished], [[7], [3, 6]])
    assert.equal((await mail.changesSince(inbox, 0)).changed.length, 4)
  })

  test('listeners hear of their account, and no more once disposed', async () => {
    await using made = await make()
    const [alice, bob] = [newAccount(), newAccount()]
    for (const account of [alice, bob]) await made.store.create(account)
    const heard: MailboxId[] = []
    let wake = () => {}
    const subscription = made.store.changes.subscribe(alice, (mailbox) => {
      heard.push(mailbox)
      wake()
    })
    const next = () => new Promise<void>((resolve) => (wake = resolve))
    const first = next()
    await made.store.append(bob, 'INBOX', newMessage('not mine'))
    const { mailbox, uid } = await made.store.append(alice, 'INBOX', newMessage('mine'))
    await first
    await using mail = await made.store.open(alice, made.keys(alice))
    const second = next()
    await mail.setFlags(mailbox, [uid], { mode: 'add', flags: ['\\Seen'] })
    await second
    assert.deepEqual(new Set(heard), new Set([mailbox]))
    const count = heard.length
    subscription[Symbol.dispose]()
    await mail.setFlags(mailbox, [uid], { mode: 'remove', flags: ['\\Seen'] })
    await made.store.append(alice, 'Sent', newMessage('unheard'))
    assert.equal(heard.length, count)
  })
}
