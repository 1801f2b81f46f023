import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { summarize } from '#formats/message/summary.ts'
import { Turn } from '#lib/turn.ts'
import type { Wire } from '#servers/line/wire.ts'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { Manner } from '../manner.ts'
import type { SelectedMailbox } from '../selected.ts'
import { sendResponse } from './response.ts'

const CONTENT = Buffer.from(`Subject: large\r\n\r\n${'x'.repeat(100_000)}\r\n`)

/** Takes `room` octets until it is flushed. */
function slowWire(room: number) {
  const seen = { waiting: 0, most: 0, all: 0 }
  const wire = {
    send(...pieces: readonly (string | Uint8Array)[]) {
      for (const { length } of pieces) {
        seen.waiting += length
        seen.all += length
      }
      seen.most = Math.max(seen.most, seen.waiting)
    },
    get congested() {
      return seen.waiting >= room
    },
    async flush() {
      seen.waiting = 0
    },
  }
  return { wire: wire as unknown as Wire, seen }
}

const mailbox = { manner: new Manner(new Set()), view: { indexOf: () => 0 } } as unknown as SelectedMailbox
const clear = { kind: 'open', uid: 1, row: null, facts: null, summary: summarize(CONTENT), content: CONTENT } as const

test('one message asked for a thousand times in a command goes out as the client takes it', async () => {
  const { wire, seen } = slowWire(64_000)
  const whole: FetchItem = { kind: 'section', section: { part: [], text: null }, partial: null, peek: true }
  const items = Array.from({ length: 1000 }, () => [whole, { kind: 'bodyStructure' }] as const).flat()
  assert.equal(await sendResponse(wire, { mailbox, items, turn: new Turn(createFakeClock()) }, clear, false), true)
  assert.ok(seen.all > 100_000_000)
  assert.ok(seen.most < 64_000 + 2 * CONTENT.length, `${seen.most} octets at once`)
})

test('a header that is searched a thousand times in a command leaves others their turns', async () => {
  const { wire } = slowWire(64_000)
  const fields: FetchItem = {
    kind: 'section',
    section: { part: [], text: { kind: 'fields', not: false, names: ['X-None'] } },
    partial: null,
    peek: true,
  }
  // Each look at the clock takes a millisecond.
  let now = 0
  const turn = new Turn({ ...createFakeClock(), now: () => now++ })
  let turns = 0
  let isDone = false
  const others = (async () => {
    while (!isDone) {
      await setImmediate()
      turns++
    }
  })()
  await sendResponse(wire, { mailbox, items: Array<FetchItem>(1000).fill(fields), turn }, clear, false)
  isDone = true
  await others
  assert.ok(turns > 50, `${turns} turns`)
})
