import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MessageRow } from '#custody/store/mail-store.ts'
import { changedFlags, flagSet, sameFlags } from './flag-set.ts'
import { MailboxView } from './mailbox-view.ts'

const rowOf = (uid: number, flags: readonly string[] = []): MessageRow => ({
  uid,
  modseq: uid + 10,
  internalDate: uid * -1000,
  flags,
  paddedSize: uid * 2 ** 33,
})

test('behaves like a list of rows', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), gap: fc.integer({ min: 1, max: 1000 }) }),
    fc.record({ kind: fc.constant('remove' as const), places: fc.uniqueArray(fc.nat(60), { maxLength: 10 }) }),
    fc.record({ kind: fc.constant('flag' as const), place: fc.nat(60), flag: fc.constantFrom('\\Seen', '$A', '$B') }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const view = new MailboxView([])
      let rows: MessageRow[] = []
      let last = 0
      for (const one of steps) {
        if (one.kind === 'append') {
          last += one.gap
          view.append(rowOf(last))
          rows.push(rowOf(last))
        } else if (one.kind === 'remove') {
          const places = one.places.filter((place) => place < rows.length).sort((a, b) => a - b)
          view.remove(places)
          rows = rows.filter((_, place) => !places.includes(place))
        } else if (one.place < rows.length) {
          const row = { ...rows[one.place]!, flags: [one.flag] }
          view.update(one.place, row)
          rows[one.place] = row
        }
      }
      assert.equal(view.length, rows.length)
      for (const [place, row] of rows.entries()) {
        const { uid, flags, modseq, internalDate, paddedSize, recent } = view.at(place)
        assert.deepEqual(
          { uid, flags: flags.flags, modseq, internalDate, paddedSize, recent },
          { ...row, recent: false },
        )
        assert.equal(view.indexOf(uid), place)
      }
      assert.equal(view.indexOf(last + 1), -1)
      assert.equal(view.firstUnseen(), rows.findIndex(({ flags }) => !flags.includes('\\Seen')) + 1 || null)
    }),
  )
})

test('a row that is older than the one known changes nothing', () => {
  const view = new MailboxView([rowOf(5, ['\\Seen'])])
  assert.equal(view.update(0, { ...rowOf(5), modseq: 3 }), false)
  assert.equal(view.flagsAt(0).seen, true)
  assert.equal(view.update(0, { ...rowOf(5, ['\\SEEN']), modseq: 30 }), false, 'flags compare without case')
  assert.equal(view.update(0, { ...rowOf(5, []), modseq: 31 }), true)
})

test('flag sets are shared, compared without case, and changed as STORE does', () => {
  assert.equal(flagSet(['\\Seen', '$A']), flagSet(['\\Seen', '$A']))
  assert.ok(sameFlags(flagSet(['\\Seen', '$A']), flagSet(['$a', '\\SEEN'])))
  assert.ok(!sameFlags(flagSet(['\\Seen']), flagSet(['\\Seen', '$A'])))
  const before = flagSet(['\\Seen', '$A'])
  assert.deepEqual([...changedFlags(before, 'replace', ['$B'])], ['$b'])
  assert.deepEqual([...changedFlags(before, 'add', ['$a', '$B'])], ['\\seen', '$a', '$b'])
  assert.deepEqual([...changedFlags(before, 'remove', ['$a'])], ['\\seen'])
  for (let i = 0; i < 10_000; i++) flagSet([`$${i}`])
  assert.ok(sameFlags(flagSet(['\\Seen', '$A']), before))
})
