import assert from 'node:assert/strict'
import { constants } from 'node:fs'
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { type AuditDisk, disk } from './audit-disk.ts'
import { LINE_LIMIT } from './audit-line.ts'
import { AuditDamaged, type AuditEntry, type AuditRecord, audited } from './audit-log.ts'
import { openAuditLog } from './chained-audit-log.ts'
import { verifyAuditLog } from './verify-audit-log.ts'

const clock = createFakeClock()

const entry = (number: number | string): AuditRecord => ({
  event: 'password.changed',
  account: 'a1',
  address: 'ada@example.org',
  actor: 'owner',
  detail: { number },
})

/** Within one process nobody needs to be locked out, and where no power fails nothing needs to be synced. */
const unlocked: AuditDisk = {
  ...disk,
  exclusively: (_, run) => run(),
  async writeAt(path, content, position) {
    await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    await file.write(content, 0, content.length, position)
  },
  syncFolder: async () => {},
}

async function read(entries: AsyncIterable<AuditEntry>): Promise<AuditEntry[]> {
  return Array.fromAsync(entries)
}

test('entries come back in order, filtered, and the log verifies; two writers share it', async () => {
  await using folder = await temporaryDirectory('audit')
  assert.equal((await verifyAuditLog(folder.path)).kind, 'none')
  const clock = createFakeClock()
  const log = openAuditLog({ dataDir: folder.path, clock })
  const other = openAuditLog({ dataDir: folder.path, clock })
  assert.deepEqual(await read(log.entries()), [])
  await Promise.all([log.record(entry(1)), other.record(entry(2)), log.record(entry(3))])
  const between = await verifyAuditLog(folder.path)
  await clock.advance(1000)
  await other.record({ event: 'escrow.enabled', account: null, actor: 'operator', detail: {} })
  const all = await read(log.entries())
  assert.deepEqual(
    all.map(({ seq, event }) => `${seq} ${event}`),
    ['1 log.started', '2 password.changed', '3 password.changed', '4 password.changed', '5 escrow.enabled'],
  )
  assert.deepEqual(new Set(all.map(({ detail }) => detail['number'])), new Set([undefined, 1, 2, 3]))
  assert.equal((await read(log.entries({ account: 'a1' }))).length, 3)
  assert.deepEqual(
    (await read(log.entries({ account: 'a1', limit: 2 }))).map(({ seq }) => seq),
    [3, 4],
  )
  assert.deepEqual(
    (await read(log.entries({ since: clock.now() }))).map(({ seq }) => seq),
    [5],
  )
  const verdict = await verifyAuditLog(folder.path, between.head)
  assert.deepEqual(
    { ...verdict, head: '' },
    { kind: 'intact', entries: 5, head: '', faults: [], remarks: [], notedAt: 4 },
  )
  for (const file of ['audit/log', 'audit/head', 'keys/audit.key'])
    assert.equal((await stat(folder.join(file))).mode & 0o777, 0o600)
})

test('what people write is stripped and cut', async () => {
  await using folder = await temporaryDirectory('audit')
  const log = openAuditLog({ dataDir: folder.path, clock, disk: unlocked })
  const detail = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [`k${n}${'x'.repeat(100)}`, 'ü\n'.repeat(900)]),
  )
  await log.record({ ...entry(1), actor: 'ow\u001b[31mner\n\u202e\ud800', detail })
  const [, stored] = await read(log.entries())
  assert.equal(stored?.actor, 'ow [31mner  \ufffd')
  assert.equal(Object.keys(stored.detail).length, 16)
  for (const [key, value] of Object.entries(stored.detail)) {
    assert.equal(key.length, 64)
    assert.equal(value, 'ü '.repeat(128))
  }
  const longest = (await readFile(folder.join('audit/log'), 'latin1')).split('\n').map((line) => line.length)
  assert.ok(Math.max(...longest) < LINE_LIMIT)
  assert.equal((await verifyAuditLog(folder.path)).kind, 'intact')
})

test('an act comes after its entry; when it fails the log says so', async () => {
  await using folder = await temporaryDirectory('audit')
  const log = openAuditLog({ dataDir: folder.path, clock, disk: unlocked })
  const seen = await audited(log, entry(1), async () => (await read(log.entries())).length)
  assert.equal(seen, 2)
  await assert.rejects(
    audited(log, entry(2), () => Promise.reject(new Error('not today'))),
    /not today/,
  )
  const details = (await read(log.entries())).map((one) => one.detail)
  assert.deepEqual(details, [{}, { number: 1 }, { number: 2 }, { number: 2, failed: true }])
})

/** A log of `started` and eight entries, its octets, and a way to put others in their place. */
async function writtenLog(path: string) {
  const log = openAuditLog({ dataDir: path, clock, disk: unlocked })
  for (let number = 2; number <= 9; number++) await log.record(entry(number))
  const whole = await readFile(`${path}/audit/log`)
  const lines = whole.toString().trimEnd().split('\n')
  const judge = async (changed: readonly string[] | Uint8Array, noted?: string) => {
    const octets = changed instanceof Uint8Array ? changed : Buffer.from(changed.map((line) => `${line}\n`).join(''))
    await writeFile(`${path}/audit/log`, octets)
    return verifyAuditLog(path, noted)
  }
  return { log, whole, lines, judge }
}

test('dropped, repeated, moved, inserted and altered lines are named', async () => {
  await using folder = await temporaryDirectory('audit')
  const { lines, judge } = await writtenLog(folder.path)
  const named = async (changed: readonly string[]) =>
    (await judge(changed)).faults.map(({ line, what }) => `${line}: ${what}`)
  assert.deepEqual(await named(lines), [])
  assert.deepEqual(await named(lines.toSpliced(4, 1)), ['5: entry 5 is missing before it: dropped or moved'])
  assert.deepEqual(await named(lines.toSpliced(4, 2)), ['5: entries 5 to 6 are missing before it: dropped or moved'])
  assert.deepEqual(await named(lines.slice(0, -1)), ['null: entry 9 is missing at the end: it was cut off'])
  assert.deepEqual(await named([]), ['null: entries 1 to 9 are missing at the end: it was cut off'])
  assert.deepEqual(await named(lines.toSpliced(4, 0, lines[3]!)), ['5: is entry 4: it was moved here or repeated'])
  assert.deepEqual(await named([...lines, lines[8]!]), ['10: is entry 9: it was moved here or repeated'])
  assert.deepEqual(await named(lines.toSpliced(4, 2, lines[5]!, lines[4]!)), [
    '5: entry 5 is missing before it: dropped or moved',
    '6: is entry 5: it was moved here or repeated',
  ])
  const altered = lines[4]!.replace('"number":5', '"number":6')
  const why = 'was altered or inserted: it is not as it was written'
  assert.deepEqual(await named(lines.toSpliced(4, 1, altered)), [`5: ${why}`])
  assert.deepEqual(await named(lines.toSpliced(8, 1, lines[8]!.slice(0, -1))), [`9: ${why}`])
  assert.deepEqual(await named(lines.toSpliced(4, 0, altered)), [`5: ${why}`])
  assert.deepEqual(await named([...lines, altered]), [`10: ${why}`])
  assert.deepEqual(await named(lines.toSpliced(2, 1, 'x'.repeat(3 * LINE_LIMIT))), [`3: ${why}`])
})

test('every change of a single octet is found, and every removal and insertion of some', async () => {
  await using folder = await temporaryDirectory('audit')
  const { whole, judge } = await writtenLog(folder.path)
  const mutation = fc.record({
    at: fc.nat(whole.length - 1),
    removed: fc.integer({ min: 0, max: 40 }),
    added: fc.uint8Array({ maxLength: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ at, removed, added }) => {
      const changed = Buffer.concat([whole.subarray(0, at), added, whole.subarray(at + removed)])
      fc.pre(!changed.equals(whole))
      assert.equal((await judge(changed)).kind, 'broken')
    }),
    { numRuns: 150 },
  )
})

test('a log written anew with the key is told from the one whose head was noted', async () => {
  await using folder = await temporaryDirectory('audit')
  const { log } = await writtenLog(folder.path)
  const noted = (await verifyAuditLog(folder.path)).head
  await log.record(entry(10))
  assert.equal((await verifyAuditLog(folder.path, noted)).notedAt, 9)
  await rm(folder.join('audit'), { recursive: true })
  assert.match((await verifyAuditLog(folder.path)).faults[0]!.what, /the log is gone/)
  await clock.advance(1)
  await writtenLog(folder.path)
  assert.equal((await verifyAuditLog(folder.path)).kind, 'intact')
  const verdict = await verifyAuditLog(folder.path, noted)
  assert.equal(verdict.kind, 'broken')
  assert.match(verdict.faults[0]!.what, /the noted head is that of no line/)
})

test('a log that does not fit its head or key is refused, in words; half a line of a crash is not', async () => {
  await using folder = await temporaryDirectory('audit')
  const { log, whole, lines, judge } = await writtenLog(folder.path)
  const refused = async (what: RegExp) => {
    await assert.rejects(
      log.record(entry('refused')),
      (error: Error) =>
        error instanceof AuditDamaged && what.test(error.message) && /rename the folder/.test(error.message),
    )
  }
  await judge(lines.slice(0, -1))
  await refused(/its end was cut off/)
  await judge(lines.toSpliced(8, 1, lines[8]!.replace('owner', 'OWNER')))
  await refused(/line 9 .* is not the one that was written/)
  await judge([...lines, lines[8]!])
  await refused(/line 10 .* is not one that was written here/)
  const half = await judge(Buffer.concat([whole, whole.subarray(0, 50)]))
  assert.equal(half.kind, 'intact')
  assert.match(half.remarks[0]!, /Line 10 was not finished/)
  assert.equal((await read(log.entries())).length, 9)
  const unfilled = await judge(Buffer.concat([whole, Buffer.from('{"seq":10,\0\0\0"}\n')]))
  assert.equal(unfilled.kind, 'intact')
  await log.record(entry(10))
  assert.deepEqual((await verifyAuditLog(folder.path)).remarks, [])
  const head = await readFile(folder.join('audit/head'), 'latin1')
  for (const changed of [head.replace('10', '12'), head.slice(0, -2), '', `${head}\n`]) {
    await writeFile(folder.join('audit/head'), changed)
    await refused(/does not fit the key/)
    assert.match((await verifyAuditLog(folder.path)).faults[0]!.what, /was altered, or belongs to another key/)
  }
  await rm(folder.join('audit/head'))
  await refused(/head is missing/)
  await rm(folder.join('keys/audit.key'))
  await refused(/audit.key is missing/)
  assert.match((await verifyAuditLog(folder.path)).faults[0]!.what, /audit.key is missing/)
})

test('readers get what is genuine, and then hear of what is not', async () => {
  await using folder = await temporaryDirectory('audit')
  const { log, lines, judge } = await writtenLog(folder.path)
  await judge(lines.toSpliced(4, 1, lines[4]!.replace('"number":5', '"number":6')))
  const seen: number[] = []
  await assert.rejects(async () => {
    for await (const { seq } of log.entries()) seen.push(seq)
  }, /line 5 .* is not one that was written here/)
  assert.deepEqual(seen, [1, 2, 3, 4, 6, 7, 8, 9])
})

type Fault = 'before' | 'after' | 'half'

/** A disk that fails at step `at`, before, in the midst of or after doing it; with `crash` at every later step too. */
function failingDisk(at: number, fault: Fault, crash: boolean): AuditDisk & { readonly steps: number } {
  let steps = 0
  const failure = () =>
    Object.assign(new Error('the disk failed'), { code: fault === 'half' ? 'ENOSPC' : 'EIO', syscall: 'write' })
  const step = async (act: () => Promise<void>, half: () => Promise<void> = async () => {}) => {
    steps++
    if (crash && steps > at) throw failure()
    if (steps !== at) return act()
    if (fault === 'after') await act()
    if (fault === 'half') await half()
    throw failure()
  }
  return {
    get steps() {
      return steps
    },
    exclusively: (_, run) => run(),
    makeFolder: (path) => step(() => unlocked.makeFolder(path)),
    writeAt: (path, content, position) =>
      step(
        () => unlocked.writeAt(path, content, position),
        () => unlocked.writeAt(path, content.subarray(0, content.length >> 1), position),
      ),
    truncate: (path, size) => step(() => unlocked.truncate(path, size)),
    rename: (from, to) => step(() => unlocked.rename(from, to)),
    syncFolder: (path) => step(() => unlocked.syncFolder(path)),
  }
}

for (const fault of ['before', 'half', 'after'] as const)
  for (const crash of [false, true])
    test(`a disk that fails ${fault} any step${crash ? ' and stays gone' : ''}: the log verifies and goes on`, async () => {
      for (let at = 1, isDone = false; !isDone; at++) {
        await using folder = await temporaryDirectory('audit')
        const broken = failingDisk(at, fault, crash)
        const log = openAuditLog({ dataDir: folder.path, clock, disk: broken })
        const kept: number[] = []
        for (let number = 1; number <= 2; number++)
          await log.record(entry(number)).then(
            () => kept.push(number),
            (error: Error) => assert.match(error.message, /the disk failed/),
          )
        isDone = broken.steps < at
        assert.equal(kept.length === 2, isDone)
        assert.deepEqual(
          (await verifyAuditLog(folder.path)).faults.filter(({ what }) => !/is gone/.test(what)),
          [],
        )
        await openAuditLog({ dataDir: folder.path, clock, disk: unlocked }).record(entry(3))
        const verdict = await verifyAuditLog(folder.path)
        assert.deepEqual({ kind: verdict.kind, remarks: verdict.remarks }, { kind: 'intact', remarks: [] })
        const found = (await read(log.entries())).map(({ detail }) => detail['number'])
        for (const number of [...kept, 3]) assert.ok(found.includes(number), `entry ${number} is lost at step ${at}`)
        // what was not acknowledged may be there, but once, and in its order
        const numbers = found.filter((number) => number !== undefined)
        assert.deepEqual(numbers, [...new Set(numbers)].sort())
      }
    })
