/** The part of the mail store's contract about what is known of a mailbox without looking at all of its messages. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Check, expand, flagsOf, newMessage, uidsOf } from './contract-bench.ts'
import { type AccountMail, type MailboxId, type MailboxOverview, NoSuchMailbox, TooManyFlags } from './mail-store.ts'

/** The uids after a later overview, from those before. */
function after(uids: readonly number[], uidNext: number, later: MailboxOverview): number[] {
  if (later.present) return expand(later.present)
  const gone = new Set(expand(later.vanished!))
  const given = Array.from({ length: later.status.uidNext - uidNext }, (_, index) => uidNext + index)
  return [...uids, ...given].filter((uid) => !gone.has(uid))
}

async function remove(mail: AccountMail, mailbox: MailboxId, uids: readonly number[]): Promise<void> {
  await mail.setFlags(mailbox, uids, { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(mailbox, uids)
}

export function overviews(check: Check): void {
  check('an overview says what the list says', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    const empty = await mail.overview(inbox)
    assert.deepEqual([empty.firstUnseen, empty.keywords, expand(empty.present!)], [null, [], []])
    for (const flags of [['\\Seen'], ['\\Seen', 'Work'], [], ['$Later', 'WORK'], []])
      await mail.append(inbox, newMessage('x', { flags }))
    await remove(mail, inbox, [3])
    const overview = await mail.overview(inbox)
    assert.deepEqual(overview.status, await mail.status(inbox))
    assert.equal(overview.firstUnseen, 4)
    assert.deepEqual(overview.keywords.toSorted(), ['$Later', 'Work'])
    assert.deepEqual([...overview.present!], [1, 2, 4, 5])
    await mail.setFlags(inbox, [4, 5], { mode: 'add', flags: ['\\Seen', 'new'] })
    const later = await mail.overview(inbox, overview.status.highestModseq)
    assert.deepEqual([later.firstUnseen, later.keywords.length, expand(later.vanished!)], [null, 3, []])
    await assert.rejects(mail.overview(9999), NoSuchMailbox)
  })

  check('keywords come along with copies and moves', async ({ mail, mailbox }) => {
    const [inbox, archive, trash] = [await mailbox('INBOX'), await mailbox('Archive'), await mailbox('Trash')]
    for (const flags of [['a'], ['b', 'c']]) await mail.append(inbox, newMessage('x', { flags }))
    await mail.copy(inbox, [1], archive)
    await mail.move(inbox, [2], trash)
    assert.deepEqual((await mail.overview(archive)).keywords, ['a'])
    assert.deepEqual((await mail.overview(trash)).keywords.toSorted(), ['b', 'c'])
  })

  check('keywords have limits, and those that nobody uses make room', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    await mail.append(inbox, newMessage('x'))
    const set = (flags: readonly string[]) => mail.setFlags(inbox, [1], { mode: 'replace', flags })
    const many = (name: string) => Array.from({ length: 60 }, (_, index) => `${name}${index}`)
    for (let round = 0; round < 20; round++) await set(many(`r${round}k`))
    const { keywords } = await mail.overview(inbox)
    assert.ok(keywords.length <= 1000 && many('r19k').every((one) => keywords.includes(one)))
    await assert.rejects(set([...many('a'), ...many('b')]), TooManyFlags)
    await assert.rejects(set(['x'.repeat(101)]), TooManyFlags)
    await assert.rejects(mail.append(inbox, newMessage('x', { flags: ['x'.repeat(101)] })), TooManyFlags)
  })

  check('rows come in the order asked for, and null for what is gone', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const flags of [['\\Seen'], ['a'], ['b']]) await mail.append(inbox, newMessage('x', { flags }))
    await remove(mail, inbox, [2])
    const rows = await mail.rows(inbox, [3, 2, 1, 99, 3])
    assert.deepEqual(
      rows.map((row) => row && [row.uid, ...flagsOf([row])]),
      [[3, 'b'], null, [1, '\\Seen'], null, [3, 'b']],
    )
    const [first, last] = await mail.list(inbox)
    assert.deepEqual(rows, [last, null, first, null, last])
    assert.deepEqual(await mail.rows(inbox, []), [])
    await assert.rejects(mail.rows(9999, [1]), NoSuchMailbox)
  })

  check('a change of flags says what it lies between', async ({ mail, mailbox }) => {
    const inbox = await mailbox('INBOX')
    for (const name of ['a', 'b']) await mail.append(inbox, newMessage(name))
    const { highestModseq } = await mail.status(inbox)
    const first = await mail.setFlags(inbox, [1], { mode: 'add', flags: ['\\Seen'] })
    assert.equal(first.before, highestModseq)
    assert.equal(first.after, (await mail.status(inbox)).highestModseq)
    const second = await mail.setFlags(inbox, [1], { mode: 'add', flags: ['\\Seen'] })
    assert.deepEqual([second.before, second.after], [first.after, first.after])
  })

  check('overviews that follow each other lead to the true uids', async ({ mail }) => {
    const step = fc.oneof(
      fc.constant({ kind: 'append' as const }),
      fc.record({ kind: fc.constant('remove' as const), uids: fc.uniqueArray(fc.integer({ min: 1, max: 12 })) }),
      fc.constant({ kind: 'look' as const }),
    )
    let rounds = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { id } = await mail.createMailbox(`round ${rounds++}`)
        let known: { modseq: number; uidNext: number; uids: number[] } | null = null
        for (const one of [...steps, { kind: 'look' as const }])
          if (one.kind === 'append') await mail.append(id, newMessage('x'))
          else if (one.kind === 'remove') await remove(mail, id, one.uids)
          else {
            const overview: MailboxOverview = await mail.overview(id, known?.modseq)
            const uids: number[] = known ? after(known.uids, known.uidNext, overview) : expand(overview.present!)
            assert.deepEqual(uids, uidsOf(await mail.list(id)))
            known = { modseq: overview.status.highestModseq, uidNext: overview.status.uidNext, uids }
          }
      }),
      { numRuns: 15 },
    )
  })
}
