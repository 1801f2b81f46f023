/** What every mail store promises. Each implementation's test calls `contract` with a way to make an empty store. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  type Check,
  expand,
  type MakeStore,
  newAccount,
  newMessage,
  type Opened,
  text,
  uidsOf,
  withAccount,
} from './contract-bench.ts'
import { type MailboxId, NoSuchAccount, OverQuota } from './mail-store.ts'
import { mailboxes, names } from './mailboxes.contract.ts'
import { appending, copying, flags, removing } from './messages.contract.ts'
import { overviews } from './overview.contract.ts'
import { searching } from './searching.contract.ts'

/** Registers the tests. `name` says which store they are run on. */
export function contract(name: string, make: MakeStore): void {
  describe(name, () => {
    const check = (title: string, run: (opened: Opened) => Promise<void>) => test(title, () => withAccount(make, run))
    accounts(make)
    appending(check)
    mailboxes(check)
    names(check)
    flags(check)
    overviews(check)
    copying(check)
    removing(check)
    searching(check)
    quotas(check)
    coverages(check)
    changes(make, check)
  })
}

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
    assert.deepEqual(await mail.changesSince(inbox, highestModseq), {
      changed: [],
      vanished: new Uint32Array(),
      highestModseq,
    })
    await mail.setFlags(inbox, [2], { mode: 'add', flags: ['\\Seen'] })
    await mail.setFlags(inbox, [3, 4, 6], { mode: 'add', flags: ['\\Deleted'] })
    await mail.expunge(inbox, [4])
    const middle = (await mail.status(inbox)).highestModseq
    await mail.expunge(inbox)
    await mail.append(inbox, newMessage('new'))
    const all = await mail.changesSince(inbox, highestModseq)
    assert.deepEqual(
      [uidsOf(all.changed), expand(all.vanished)],
      [
        [2, 7],
        [3, 4, 6],
      ],
    )
    assert.equal(all.highestModseq, (await mail.status(inbox)).highestModseq)
    const later = await mail.changesSince(inbox, middle)
    assert.deepEqual([uidsOf(later.changed), expand(later.vanished)], [[7], [3, 6]])
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
