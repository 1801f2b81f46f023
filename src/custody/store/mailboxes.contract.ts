/** The part of the mail store's contract about mailboxes and their names. */
import assert from 'node:assert/strict'
import { type Check, expand, newMessage, text } from './contract-bench.ts'
import {
  ANNOTATIONS_PER_MAILBOX,
  MailboxExists,
  MailboxRefused,
  NoSuchMailbox,
  OverQuota,
  TooManyAnnotations,
} from './mail-store.ts'

export function mailboxes(check: Check): void {
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

  check('a mailbox is found by its name and by its id', async ({ mail }) => {
    const made = await mail.createMailbox('Work/ü')
    await mail.subscribe('Work/ü', true)
    const listed = (await mail.mailboxes()).find(({ id }) => id === made.id)
    assert.equal(listed?.subscribed, true)
    assert.deepEqual(await mail.mailbox('Work/ü'), listed)
    assert.deepEqual(await mail.mailbox(made.id), listed)
    assert.equal((await mail.mailbox('Trash'))?.specialUse, 'Trash')
    assert.equal(await mail.mailbox('work/ü'), null)
    await mail.deleteMailbox('Work/ü')
    assert.deepEqual([await mail.mailbox('Work/ü'), await mail.mailbox(made.id)], [null, null])
  })

  check('inferiors are renamed, and not what only begins alike', async ({ mail }) => {
    const names = ['a', 'a!', 'a-b', 'a.', 'a/\u{20}', 'a/z', 'a/z/z', 'a/\u{1f4e7}', 'a0', 'ab', 'aé', 'A/b']
    for (const name of names) if (!(await mail.mailbox(name))) await mail.createMailbox(name)
    await mail.renameMailbox('a', 'Z/y')
    const after = (await mail.mailboxes()).map(({ name }) => name)
    const moved = names.map((name) => (name === 'a' || name.startsWith('a/') ? `Z/y${name.slice(1)}` : name))
    for (const name of [...moved, 'Z', 'A']) assert.ok(after.includes(name), name)
    assert.ok(!after.some((name) => name === 'a' || name.startsWith('a/')))
    await mail.createMailbox('b/z')
    await assert.rejects(mail.renameMailbox('Z/y', 'b'), MailboxExists)
  })

  check('listeners hear of mailboxes and subscriptions', async ({ account, store, mail, mailbox }) => {
    const heard = new Set<string>()
    let wake = () => {}
    using _listening = store.changes.subscribe(account, (id, { kind }) => {
      heard.add(`${kind} ${id}`)
      wake()
    })
    const hears = async (told: string) => {
      while (!heard.has(told)) await new Promise<void>((resolve) => (wake = resolve))
      heard.clear()
    }
    const made = await mail.createMailbox('a')
    await hears(`mailboxes ${made.id}`)
    await mail.renameMailbox('a', 'b')
    await hears(`mailboxes ${made.id}`)
    await mail.subscribe('b', true)
    await hears('mailboxes 0')
    await mail.annotate(made.id, [['/private/comment', Buffer.from('mine')]])
    await hears(`annotations ${made.id}`)
    await mail.deleteMailbox('b')
    await hears(`mailboxes ${made.id}`)
    await mail.renameMailbox('INBOX', 'Old')
    await hears(`mailboxes ${await mailbox('Old')}`)
  })

  check('annotations are set and removed, of mailboxes and of the account', async ({ mail, store, account }) => {
    const { id } = await mail.createMailbox('a')
    const said = async (mailbox: number | null) =>
      [...(await mail.annotations(mailbox))].map(([name, value]) => `${name}=${text(value)}`)
    assert.deepEqual(await said(id), [])
    const { used } = await mail.quota()
    await mail.annotate(id, [
      ['/private/comment', Buffer.from('mine')],
      ['/private/x', Buffer.from([0, 255])],
    ])
    await mail.annotate(null, [['/private/comment', Buffer.from('the account')]])
    assert.deepEqual(await said(null), ['/private/comment=the account'])
    await mail.annotate(id, [['/private/x', null]])
    await mail.renameMailbox('a', 'b')
    assert.deepEqual(await said(id), ['/private/comment=mine'])
    const many = Array.from({ length: ANNOTATIONS_PER_MAILBOX }, (_, n) => [`/private/${n}`, Buffer.of(n)] as const)
    await assert.rejects(mail.annotate(id, many), TooManyAnnotations)
    assert.deepEqual(await said(id), ['/private/comment=mine'])
    await store.setQuota(account, (await mail.quota()).used)
    await assert.rejects(mail.annotate(id, [['/private/comment', Buffer.alloc(2000)]]), OverQuota)
    await store.setQuota(account, null)
    await mail.deleteMailbox('b')
    await assert.rejects(mail.annotations(id), NoSuchMailbox)
    await mail.annotate(null, [['/private/comment', null]])
    assert.equal((await mail.quota()).used, used)
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
    assert.deepEqual(expand((await mail.changesSince(now, before.highestModseq)).vanished), [1])
    const [row] = await mail.list(old)
    assert.match(text(await mail.read(old, row!.uid))!, /old mail/)
    assert.equal(text((await mail.summaries(old, [row!.uid]))[0]!), 'summary of old mail')
    const validities = found.map((one) => one.uidValidity)
    assert.equal(new Set(validities).size, validities.length)
  })
}

export function names(check: Check): void {
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
