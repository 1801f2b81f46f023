/** The part of the mail store's contract about messages: kept, flagged, copied, removed. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type Check, DATE, expand, flagsOf, newMessage, text, uidsOf } from './contract-bench.ts'
import { type FlagChange, MailboxRefused, type MessageRow, NoSuchMailbox, OverQuota } from './mail-store.ts'

export function appending(check: Check): void {
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

  check('many are read together, in the order asked for, with what is wanted of them', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const sizes = [0, 1, 30_000, 300_000]
    const octets = sizes.map((size) => randomBytes(size))
    for (const content of octets)
      await mail.append(inbox, newMessage('x', { content, summary: content.subarray(0, 900), flags: ['\\Seen'] }))
    const asked = [4, 99, 1, 3, 4, 2]
    const all = await mail.messages(inbox, asked, { row: true, summary: true, content: true })
    const rows = await mail.list(inbox)
    for (const [i, uid] of asked.entries()) {
      const one = all[i]!
      if (uid === 99) {
        assert.equal(one, null)
        continue
      }
      assert.deepEqual([one.uid, one.row, one.unreadable], [uid, rows[uid - 1], null])
      assert.ok(octets[uid - 1]!.equals(one.content!), `content of ${uid}`)
      assert.ok(octets[uid - 1]!.subarray(0, 900).equals(one.summary!), `summary of ${uid}`)
    }
    for (const wanted of ['row', 'summary', 'content'] as const) {
      const [one] = await mail.messages(inbox, [3], { [wanted]: true })
      const { uid, unreadable, ...parts } = one!
      const given = Object.entries(parts).filter(([, part]) => part !== null)
      assert.deepEqual([uid, unreadable, given.map(([name]) => name)], [3, null, [wanted]])
    }
    assert.deepEqual(await mail.messages(inbox, [], { content: true }), [])
  })

  check('more are read together than one question to the disk takes', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    await Promise.all(Array.from({ length: 150 }, (_, i) => mail.append(inbox, newMessage(`m${i}`))))
    const uids = (await mail.list(inbox)).map(({ uid }) => uid)
    const read = await mail.messages(inbox, uids, { content: true })
    const one = await mail.read(inbox, 77)
    assert.equal(new Set(read.map((message) => text(message!.content))).size, 150)
    assert.equal(text(read[76]!.content), text(one))
  })

  check("contents are the reader's to keep, and to wipe", async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const content = randomBytes(40_000)
    await mail.append(inbox, newMessage('x', { content }))
    for (let i = 0; i < 2; i++) {
      const [message] = await mail.messages(inbox, [1], { content: true })
      assert.ok(content.equals(message!.content!))
      message!.content!.fill(0)
    }
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

  check('several are appended together, or none of them', async ({ account, store, mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const large = Buffer.alloc(200_000, 'x')
    const all = await mail.appendAll(inbox, [newMessage('one'), newMessage('two', { content: large })])
    assert.deepEqual(
      all.map(({ mailbox: id, uid }) => [id, uid]),
      [
        [inbox, 1],
        [inbox, 2],
      ],
    )
    assert.equal((await mail.read(inbox, 2))?.byteLength, large.byteLength)
    const { used } = await mail.quota()
    await store.setQuota(account, used + large.byteLength)
    await assert.rejects(
      mail.appendAll(inbox, [newMessage('three'), newMessage('four', { content: large })]),
      OverQuota,
    )
    assert.deepEqual([uidsOf(await mail.list(inbox)), (await mail.quota()).used], [[1, 2], used])
    await assert.rejects(mail.appendAll(0, [newMessage('five')]), NoSuchMailbox)
  })

  check('a mailbox that is gone is told apart from a message that is gone', async ({ mail, mailbox }) => {
    const gone = (await mail.createMailbox('gone')).id
    await mail.deleteMailbox('gone')
    const inbox = await mailbox('INBOX')
    await assert.rejects(mail.append(gone, newMessage('x')), NoSuchMailbox)
    await assert.rejects(mail.list(gone), NoSuchMailbox)
    await assert.rejects(mail.read(gone, 1), NoSuchMailbox)
    await assert.rejects(mail.summaries(gone, [1]), NoSuchMailbox)
    await assert.rejects(mail.facts(gone, [1]), NoSuchMailbox)
    await assert.rejects(mail.protections(gone, [1]), NoSuchMailbox)
    await assert.rejects(mail.messages(gone, [1], { row: true }), NoSuchMailbox)
    await assert.rejects(mail.messages(gone, [1], { content: true }), NoSuchMailbox)
    await assert.rejects(mail.status(gone), NoSuchMailbox)
    await assert.rejects(mail.changesSince(gone, 0), NoSuchMailbox)
    await assert.rejects(mail.setFlags(gone, [1], { mode: 'add', flags: [] }), NoSuchMailbox)
    await assert.rejects(mail.expunge(gone), NoSuchMailbox)
    await assert.rejects(mail.copy(inbox, [1], gone), NoSuchMailbox)
    await assert.rejects(mail.move(gone, [1], inbox), NoSuchMailbox)
  })
}

export function flags(check: Check): void {
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

  check('many messages of several kinds change together as each would alone', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const kinds = [[], ['\\Seen'], ['\\Flagged', 'Work'], ['Work'], ['\\Seen', 'work', 'Home']]
    for (let i = 0; i < 60; i++) await mail.append(inbox, newMessage('x', { flags: kinds[(i * 7) % kinds.length]! }))
    const among = Array.from({ length: 50 }, (_, index) => index + 5)
    for (const [change, changes] of [
      [set('add', '\\Flagged', 'WORK'), (flags: Set<string>) => flags.add('\\flagged').add('work')],
      [set('remove', '\\Seen', 'home'), (flags: Set<string>) => flags.delete('\\seen') && flags.delete('home')],
      [
        set('replace', '\\Draft'),
        (flags: Set<string>) => {
          flags.clear()
          flags.add('\\draft')
        },
      ],
    ] as const) {
      const folded = (rows: readonly MessageRow[]) =>
        rows.map(({ flags }) => new Set(flags.map((one) => one.toLowerCase())))
      const rows = await mail.list(inbox)
      const expected = folded(rows)
      for (const uid of among) changes(expected[uid - 1]!)
      const answer = await mail.setFlags(inbox, among, change)
      const after = await mail.list(inbox)
      assert.deepEqual(folded(after), expected)
      assert.deepEqual(answer.rows, after.slice(4, 54))
      const { changed } = await mail.changesSince(inbox, answer.before)
      const differs = ({ flags }: MessageRow, index: number) => flags.join(' ') !== rows[index]!.flags.join(' ')
      assert.deepEqual(uidsOf(changed), uidsOf(after.filter(differs)))
      const counts = await mail.status(inbox)
      assert.equal(counts.unseen, expected.filter((flags) => !flags.has('\\seen')).length)
    }
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

export function copying(check: Check): void {
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

  check('copies are the same email, saved when they were made', async ({ mail, mailbox }) => {
    const [inbox, archive] = [await mailbox('INBOX'), await mailbox('Archive')]
    for (const name of ['a', 'b']) await mail.append(inbox, newMessage(name))
    const [first, none, second] = await mail.facts(inbox, [1, 99, 2])
    assert.equal(none, null)
    assert.match(first!.emailId, /^[A-Za-z0-9_-]{1,255}$/)
    assert.notEqual(first!.emailId, second!.emailId)
    // Saved when it was appended, whatever INTERNALDATE says.
    assert.ok(first!.savedDate > DATE && first!.savedDate % 1000 === 0)
    await mail.copy(inbox, [2], archive)
    await mail.move(inbox, [1], archive)
    const copies = await mail.facts(archive, [2, 1])
    assert.deepEqual(
      copies.map((one) => one!.emailId),
      [first!.emailId, second!.emailId],
    )
    for (const copy of copies) assert.ok(copy!.savedDate >= first!.savedDate)
    assert.deepEqual(await mail.facts(inbox, [1, 2]), [null, second])
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
    assert.deepEqual(expand(vanished), [1, 3])
    assert.deepEqual((await mail.summaries(trash, [1, 2])).map(text), ['summary of a', 'summary of c'])
    const again = await mail.move(trash, [1], trash)
    assert.deepEqual(again.uids, [[1, 3]])
    assert.match(text(await mail.read(trash, 3))!, /Subject: a/)
    assert.deepEqual((await mail.move(inbox, [99], trash)).uids, [])
  })
}

export function removing(check: Check): void {
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

  check('what is removed goes whatever its flags, in one change', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const name of ['a', 'b', 'c']) await mail.append(inbox, newMessage(name))
    await mail.setFlags(inbox, [2], { mode: 'add', flags: ['\\Deleted'] })
    const { highestModseq } = await mail.status(inbox)
    assert.deepEqual(await mail.remove(inbox, [3, 1, 3, 99]), [1, 3])
    assert.deepEqual(uidsOf(await mail.list(inbox)), [2])
    assert.equal(await mail.read(inbox, 1), null)
    const { messages, deleted, highestModseq: after } = await mail.status(inbox)
    assert.deepEqual([messages, deleted, after], [1, 1, highestModseq + 1])
    assert.deepEqual(expand((await mail.changesSince(inbox, highestModseq)).vanished), [1, 3])
    assert.deepEqual(await mail.remove(inbox, [1]), [])
    assert.equal((await mail.status(inbox)).highestModseq, after)
    await assert.rejects(mail.remove(999, [1]), NoSuchMailbox)
  })
}
