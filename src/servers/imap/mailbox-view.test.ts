import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MailboxView } from './mailbox-view.ts'
import { UidRuns } from './uid-runs.ts'

test('behaves like a list of uids, some of them recent', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), gap: fc.integer({ min: 1, max: 3 }), recent: fc.boolean() }),
    fc.record({ kind: fc.constant('remove' as const), places: fc.uniqueArray(fc.nat(60), { maxLength: 10 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const view = new MailboxView(UidRuns.EMPTY)
      let uids: { uid: number; recent: boolean }[] = []
      let last = 0
      for (const one of steps) {
        if (one.kind === 'append') {
          last += one.gap
          view.append([last])
          if (one.recent) view.markRecent(last, last)
          uids.push({ uid: last, recent: one.recent })
        } else {
          const gone = uids.filter((_, place) => one.places.includes(place))
          view.remove(gone.map(({ uid }) => uid))
          uids = uids.filter((uid) => !gone.includes(uid))
        }
      }
      assert.equal(view.length, uids.length)
      assert.equal(view.recentCount, uids.filter(({ recent }) => recent).length)
      for (const [place, { uid, recent }] of uids.entries()) {
        assert.equal(view.uidAt(place), uid)
        assert.equal(view.indexOf(uid), place)
        assert.equal(view.isRecent(uid), recent)
      }
      assert.equal(view.indexOf(last + 1), -1)
    }),
  )
})
