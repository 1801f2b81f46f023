import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { parseAddress } from '#formats/message/address.ts'
import { createMetrics } from '#lib/metrics.ts'
import { openSqlite } from '#lib/sqlite.ts'
import {
  createFakeAgent,
  DELIVERED,
  type FakeAgent,
  LATER,
  NEVER,
  RELAYED,
  UNREACHABLE,
} from '../../../test/support/fake-agent.ts'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog, type FakeLog } from '../../../test/support/fake-log.ts'
import { envelope, queuedMail, recipient } from '../../../test/support/fake-mail.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/support/temporary.ts'
import { sealContent } from './content-seal.ts'
import { openQueue, type QueueOptions } from './durable-queue.ts'
import type { Outcome, Queue } from './queue.ts'
import { openQueueDesk } from './queue-desk.ts'
import { type QueueSchema, queueMigrations } from './queue-schema.ts'

const HOUR = 3_600_000
const key = randomBytes(32)

interface Rig {
  readonly queue: Queue
  readonly relay: FakeAgent
  readonly local: FakeAgent
  readonly clock: FakeClock
  readonly log: FakeLog
  readonly folder: TemporaryDirectory
  /** Moves to the time of the message's next try and waits until its outcome is written down. */
  readonly nextTry: (id?: string) => Promise<void>
}

type Answers = { relay?: Parameters<typeof createFakeAgent>[0] | Outcome; local?: Outcome }

async function withQueue(
  answers: Answers,
  run: (rig: Rig) => Promise<void>,
  options: Partial<QueueOptions> = {},
): Promise<void> {
  await using folder = await temporaryDirectory('queue')
  const clock = createFakeClock()
  const log = createFakeLog()
  const answer = answers.relay ?? RELAYED
  const relay = createFakeAgent(typeof answer === 'function' ? answer : () => answer)
  const local = createFakeAgent(() => answers.local ?? DELIVERED)
  await using queue = await open(folder, { relay, local, clock, logger: log, ...options })
  const nextTry = async (id = 'q1') => {
    const before = log.lines.length
    clock.set((await queue.entry(id))!.recipients[0]!.nextTry)
    queue.wake()
    while (!log.lines.slice(before).some((line) => line['queueId'] === id && 'tries' in line)) await log.next()
  }
  await run({ queue, relay, local, clock, log, folder, nextTry })
}

function open(
  folder: TemporaryDirectory,
  options: Pick<QueueOptions, 'relay' | 'local' | 'clock' | 'logger'> & Partial<QueueOptions>,
): Promise<Queue> {
  return openQueue({
    path: folder.join('queue.db'),
    key,
    isLocal: (domain) => domain === 'alpha.test',
    hostname: 'mx.alpha.test',
    metrics: createMetrics(),
    random: () => 0.5,
    ...options,
  })
}

const text = (tried: { mail: { content: Uint8Array } }) => Buffer.from(tried.mail.content).toString()

test('mail is tried at once, each domain by itself, ours in the store, and then gone', () =>
  withQueue({}, async ({ queue, relay, local, log }) => {
    const to = ['a@beta.test', 'b@beta.test', 'c@gamma.test', 'd@alpha.test', 'e@BETA.test']
    const mail = queuedMail(envelope('anna@alpha.test', to))
    await queue.enqueue(mail)
    assert.equal(relay.tries.length, 0, 'nothing before start')
    queue.start()
    await log.heard('delivered', 5)
    assert.deepEqual(relay.tries.map((one) => one.to).sort(), [
      ['a@beta.test', 'b@beta.test', 'e@beta.test'],
      ['c@gamma.test'],
    ])
    assert.deepEqual(
      local.tries.map((one) => one.to),
      [['d@alpha.test']],
    )
    assert.deepEqual(Buffer.from(relay.tries[0]!.mail.content), Buffer.from(mail.content))
    assert.deepEqual(await queue.entries(), [])
  }))

test('no octet of a waiting message is on the disk in clear', () =>
  withQueue({ relay: LATER }, async ({ queue, log, folder }) => {
    const content = Buffer.from('Subject: canary-subject\r\n\r\ncanary-body\r\n')
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { content }))
    queue.start()
    await log.heard('deferred')
    for (const name of await readdir(folder.path)) {
      assert.equal((await readFile(folder.join(name))).includes('canary'), false, name)
    }
  }))

test('what a message waits with is handed to every try, sealed on the disk, and told to nobody', () =>
  withQueue({ relay: LATER }, async ({ queue, relay, log, folder, nextTry }) => {
    const waiting = Buffer.from('canary-waiting')
    const seen: string[] = []
    const { deliver } = relay
    relay.deliver = (mail, ...rest) => {
      seen.push(Buffer.from(mail.waiting ?? []).toString())
      return deliver(mail, ...rest)
    }
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { waiting }))
    queue.start()
    await log.heard('deferred')
    await nextTry()
    assert.deepEqual(seen, ['canary-waiting', 'canary-waiting'])
    assert.ok(
      relay.tries.every(({ mail }) => mail.waiting?.every((octet) => octet === 0)),
      'wiped after each try',
    )
    const entry = await queue.entry('q1')
    assert.equal(entry?.waitsForCertificate, true)
    assert.equal(log.said('mail queued')[0]?.['waitsForCertificate'], true)
    assert.doesNotMatch(JSON.stringify([entry, log.lines]), /canary/)
    for (const name of await readdir(folder.path)) {
      assert.equal((await readFile(folder.join(name))).includes('canary'), false, name)
    }
  }))

test('several mails that belong together are taken together, or none of them', () =>
  withQueue({}, async ({ queue, log, relay }) => {
    const mails = ['a', 'b'].map((queueId) => queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { queueId }))
    await queue.enqueueAll(mails)
    assert.deepEqual((await queue.entries()).map(({ queueId }) => queueId).sort(), ['a', 'b'])
    const clash = ['c', 'a'].map((queueId) => queuedMail(envelope('anna@alpha.test', ['x@beta.test']), { queueId }))
    await assert.rejects(queue.enqueueAll(clash))
    assert.equal(await queue.entry('c'), null)
    await queue.enqueueAll([])
    queue.start()
    await log.heard('delivered', 2)
    assert.equal(relay.tries.length, 2)
  }))

test('a queue that an older version wrote is read', async () => {
  await using folder = await temporaryDirectory('queue')
  const [first] = queueMigrations
  const db = await openSqlite<QueueSchema>({ path: folder.join('queue.db'), migrations: [first!] })
  const { waiting: _, ...sealed } = sealContent(key, { queueId: 'old', content: Buffer.from('old mail') })
  const old = { queue_id: 'old', arrived: 1, size: 8, ...sealed }
  const head = JSON.stringify({ reversePath: null, smtputf8: false, ret: null, envid: null })
  await db.write(async (change) => {
    await change
      .insertInto('message')
      .values({ ...old, envelope: head } as QueueSchema['message'])
      .execute()
    await change
      .insertInto('recipient')
      .values({
        queue_id: 'old',
        position: 0,
        route: 'beta.test',
        address: JSON.stringify({ local: 'bob', domain: 'beta.test' }),
        notify: null,
        orcpt: null,
        state: 'waiting',
        tries: 0,
        next_try: 0,
        last_reply: null,
        remote: null,
        warned: 0,
        given_up: 0,
      })
      .execute()
  })
  await db[Symbol.asyncDispose]()
  const relay = createFakeAgent(() => RELAYED)
  const log = createFakeLog()
  await using queue = await open(folder, { relay, local: relay, clock: createFakeClock(), logger: log })
  assert.equal((await queue.entry('old'))?.waitsForCertificate, false)
  queue.start()
  await log.heard('delivered')
  assert.equal(text(relay.tries[0]!), 'old mail')
  assert.equal('waiting' in relay.tries[0]!.mail, false)
})

test('five days of a temporary failure: quick tries, then slower ones, one warning, and the end', () =>
  withQueue({ relay: LATER }, async ({ queue, relay, local, clock, log, nextTry }) => {
    const start = clock.now()
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { arrived: start }))
    queue.start()
    await log.heard('deferred')
    const times = [0]
    while (await queue.entry('q1')) {
      await nextTry()
      times.push((clock.now() - start) / 60_000)
    }
    assert.deepEqual(times.slice(0, 8), [0, 1, 6, 21, 51, 111, 231, 411])
    assert.equal(times.at(-1), 5 * 24 * 60)
    assert.equal(relay.tries.length, times.length)
    assert.ok(times.length > 40 && times.length < 60, `${times.length} tries`)
    await log.heard('delivered', 2)
    const [warning, end] = local.tries.map(text)
    assert.match(warning!, /^Action: delayed\r$/m)
    assert.match(warning!, /^Will-Retry-Until: Sat, 7 Nov 2026 12:00:00 \+0000\r$/m)
    assert.match(end!, /^Action: failed\r$/m)
    assert.match(end!, /^Status: 4\.4\.7\r$/m)
    assert.match(end!, /^Diagnostic-Code: smtp; 450 4\.2\.0 not now\r$/m)
    assert.equal(local.tries.length, 2)
  }))

test('a failure is told to the sender: a message with a null reverse-path, through the queue itself', () =>
  withQueue({ relay: NEVER }, async ({ queue, local, log }) => {
    const bob = recipient('bob@beta.test', { orcpt: 'rfc822;robert@beta.test' })
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', [bob], { envid: 'my-id' })))
    queue.start()
    const report = await local.tried(1)
    assert.deepEqual(report.to, ['anna@alpha.test'])
    assert.equal(report.mail.envelope.reversePath, null)
    assert.deepEqual(report.mail.envelope.recipients[0]?.notify, [])
    for (const line of [
      /^From: .*<postmaster@alpha\.test>\r$/m,
      /^To: <anna@alpha\.test>\r$/m,
      /^Original-Envelope-Id: my-id\r$/m,
      /^Original-Recipient: rfc822; ?robert@beta\.test\r$/m,
      /^Final-Recipient: rfc822; bob@beta\.test\r$/m,
      /^Action: failed\r$/m,
      /^Status: 5\.1\.1\r$/m,
      /^Remote-MTA: dns; mx\.beta\.test\r$/m,
      /^Diagnostic-Code: smtp; 550 5\.1\.1 nobody here\r$/m,
      /^Reporting-MTA: dns; mx\.alpha\.test\r$/m,
      /Subject: greetings/,
    ]) {
      assert.match(text(report), line)
    }
    assert.doesNotMatch(text(report), /Dear Bob/, 'header only')
    const [told] = log.said('sender is told')
    assert.equal(told?.['queueId'], 'q1')
    assert.equal(told?.['report'], report.queueId)
  }))

test('RET=FULL returns the message, but only to whom it failed', () =>
  withQueue({ relay: NEVER }, async ({ queue, local }) => {
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'], { ret: 'full' })))
    queue.start()
    assert.match(text(await local.tried(1)), /Dear Bob/)
  }))

test('nobody is told of mail with a null reverse-path, so reports cannot breed reports', () =>
  withQueue({ relay: NEVER }, async ({ queue, relay, local, log }) => {
    await queue.enqueue(queuedMail(envelope(null, ['bob@beta.test'])))
    // The sender of this one cannot be reached: its report fails too.
    await queue.enqueue(queuedMail(envelope('gone@gamma.test', ['bob@beta.test']), { queueId: 'q2' }))
    queue.start()
    await log.heard('failed', 3)
    assert.equal(relay.tries.length, 3)
    assert.equal(local.tries.length, 0)
    assert.deepEqual(await queue.entries(), [])
  }))

test('senders hear what they asked to hear', async () => {
  const cases = [
    { notify: [], outcome: NEVER, told: null },
    { notify: ['success'], outcome: NEVER, told: null },
    { notify: ['success'], outcome: RELAYED, told: 'relayed' },
    { notify: ['success'], outcome: { ...RELAYED, dsnRelayed: true }, told: null },
    { notify: ['failure'], outcome: RELAYED, told: null },
    { notify: null, outcome: RELAYED, told: null },
    { notify: ['failure'], outcome: NEVER, told: 'failed' },
  ] as const
  for (const { notify, outcome, told } of cases) {
    await withQueue({ relay: outcome as Outcome }, async ({ queue, local, log }) => {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', [recipient('bob@beta.test', { notify })])))
      queue.start()
      await log.heard(outcome.kind)
      if (told) assert.match(text(await local.tried(1)), new RegExp(`^Action: ${told}\r$`, 'm'))
      else assert.equal((await queue.entries()).length, 0)
      assert.equal(log.said('sender is told').length, told ? 1 : 0)
    })
  }
})

test('mail that never had to wait is reported too, when that was asked for', () =>
  withQueue({}, async ({ queue, local, log }) => {
    queue.start()
    const asked = recipient('bob@alpha.test', { notify: ['success'] })
    const mail = queuedMail(envelope('anna@alpha.test', [asked, recipient('carol@alpha.test')]))
    await queue.reportDelivered(mail, mail.envelope.recipients)
    const report = text(await local.tried(1))
    assert.match(report, /^Action: delivered\r$/m)
    assert.doesNotMatch(report, /carol/)
    await queue.reportDelivered(queuedMail(envelope(null, [asked])), [asked])
    await log.heard('delivered')
    assert.deepEqual(await queue.entries(), [])
  }))

test('a domain that cannot be reached is probed by one try, and holds up no other', async () => {
  const relay = (one: { address: { domain: string } }) => (one.address.domain === 'dead.test' ? UNREACHABLE : RELAYED)
  await withQueue({ relay }, async ({ queue, relay, log, clock }) => {
    for (let at = 0; at < 20; at++) {
      await queue.enqueue(
        queuedMail(envelope('anna@alpha.test', ['x@dead.test']), { queueId: `dead${at}`, arrived: clock.now() }),
      )
    }
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['x@live.test']), { queueId: 'live' }))
    queue.start()
    await log.heard('delivered')
    await log.heard('deferred', 5)
    assert.equal(relay.tries.filter((one) => one.to[0] === 'x@dead.test').length, 5, 'as many as may be tried at once')
    const due = (await queue.entries()).flatMap((one) => one.recipients.map(({ nextTry }) => nextTry))
    assert.ok(
      due.every((time) => time >= clock.now() + 60_000),
      'the others wait without having been tried',
    )
    // New mail for it waits as well.
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['y@dead.test']), { queueId: 'new' }))
    assert.ok((await queue.entry('new'))!.recipients[0]!.nextTry >= clock.now() + 60_000)
    clock.set(clock.now() + 60_000)
    queue.wake()
    await log.heard('deferred', 6)
    await queue.entries()
    assert.equal(relay.tries.filter((one) => one.to[0]!.endsWith('dead.test')).length, 6, 'one probe')
  })
})

test('no more tries at once than allowed, in all and per domain', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const relay = async () => {
    await held
    return RELAYED
  }
  await withQueue(
    { relay },
    async ({ queue, relay, log }) => {
      for (let at = 0; at < 12; at++) {
        const domain = at < 6 ? 'beta.test' : `other${at}.test`
        await queue.enqueue(queuedMail(envelope('anna@alpha.test', [`x@${domain}`]), { queueId: `q${at}` }))
      }
      queue.start()
      await relay.tried(4)
      const states = (await queue.entries()).flatMap((one) => one.recipients.map(({ state }) => state))
      assert.equal(states.filter((state) => state === 'trying').length, 4)
      assert.equal(relay.tries.filter((one) => one.to[0] === 'x@beta.test').length, 2)
      release()
      await log.heard('delivered', 12)
      assert.equal(relay.mostUnderWay, 4)
    },
    { limits: { perDomain: 2, remote: 4 } },
  )
})

test('mail that comes while its domain has no room is tried when a try ends', async () => {
  const waiting: (() => void)[] = []
  const relay = () => new Promise<Outcome>((resolve) => waiting.push(() => resolve(RELAYED)))
  await withQueue(
    { relay },
    async ({ queue, relay, log }) => {
      queue.start()
      for (const queueId of ['q1', 'q2', 'q3']) {
        await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['x@beta.test']), { queueId }))
        await relay.tried(1)
      }
      for (let tried = 1; tried <= 3; tried++) {
        await relay.tried(tried)
        waiting.shift()!()
      }
      await log.heard('delivered', 3)
      assert.equal(relay.mostUnderWay, 1)
    },
    { limits: { perDomain: 1 } },
  )
})

test('large messages are not all in memory at once', async () => {
  const relay = async () => {
    await setImmediate()
    return RELAYED
  }
  await withQueue(
    { relay },
    async ({ queue, relay, log }) => {
      for (const queueId of ['q1', 'q2', 'q3', 'q4']) {
        const content = Buffer.alloc(queueId === 'q4' ? 5000 : 500, 'x\r\n')
        await queue.enqueue(queuedMail(envelope('anna@alpha.test', [`x@${queueId}.test`]), { queueId, content }))
      }
      queue.start()
      await log.heard('delivered', 4)
      assert.equal(relay.mostUnderWay, 2)
    },
    { limits: { octets: 1200 } },
  )
})

test('many recipients of one domain go in portions', () =>
  withQueue(
    {},
    async ({ queue, relay, log }) => {
      await queue.enqueue(
        queuedMail(
          envelope(
            'anna@alpha.test',
            Array.from({ length: 7 }, (_, at) => `r${at}@beta.test`),
          ),
        ),
      )
      queue.start()
      await log.heard('delivered', 7)
      assert.deepEqual(relay.tries.map((one) => one.to.length).sort(), [1, 3, 3])
    },
    { limits: { recipients: 3 } },
  ))

test('an agent that breaks, or content that does not open, makes mail wait', () =>
  withQueue(
    {
      relay: () => {
        throw new Error('bug')
      },
    },
    async ({ queue, log, folder, clock, relay }) => {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])))
      queue.start()
      const line = await log.heard('deferred')
      assert.equal(line['code'], 451)
      await queue.stop(0)
      const other = await open(folder, { relay, local: relay, clock, logger: log, key: randomBytes(32) })
      await using _ = other
      other.start()
      await other.retry(null)
      await log.heard('deferred', 2)
      assert.equal(relay.tries.length, 1, 'never handed over')
    },
  ))

test('what a crash cut short is tried again by the next process', () =>
  withQueue({ relay: () => new Promise<Outcome>(() => {}) }, async ({ queue, relay, clock, folder }) => {
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])))
    queue.start()
    await relay.tried(1)
    const log = createFakeLog()
    const second = createFakeAgent(() => RELAYED)
    await using next = await open(folder, { relay: second, local: second, clock, logger: log })
    assert.equal((await next.entry('q1'))?.recipients[0]?.state, 'trying')
    next.start()
    await log.heard('delivered')
    assert.deepEqual(await next.entries(), [])
    assert.equal(second.tries.length, 1)
    // The first process is dead in this story; let its agent off the hook.
    relay.abandon()
  }))

test('a stop lets tries end within the grace time, and cuts the others without counting them', async () => {
  const relay = (one: { address: { local: string } }, _: number, signal: AbortSignal) =>
    new Promise<Outcome>((resolve) => {
      if (one.address.local === 'quick') queueMicrotask(() => resolve(RELAYED))
      else signal.addEventListener('abort', () => resolve(LATER))
    })
  await withQueue({ relay }, async ({ queue, relay, log, clock }) => {
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['slow@beta.test'])))
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['quick@gamma.test']), { queueId: 'q2' }))
    queue.start()
    await relay.tried(2)
    const stopped = queue.stop(10_000)
    await log.heard('delivered')
    while (relay.underWay > 0) await clock.advance(1000)
    await stopped
    const [left] = await queue.entries()
    assert.deepEqual([left?.queueId, left?.recipients[0]?.state, left?.recipients[0]?.tries], ['q1', 'waiting', 0])
  })
})

test('the operator looks, hurries, drops and gives up, from another process', () =>
  withQueue({ relay: LATER }, async ({ queue, relay, local, log, folder, clock }) => {
    for (const queueId of ['q1', 'q2', 'q3']) {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'], { ret: 'full' }), { queueId }))
    }
    queue.start()
    await log.heard('deferred', 3)
    await using desk = await openQueueDesk({ path: folder.join('queue.db'), clock })
    const [first] = await desk.entries()
    assert.deepEqual(
      [first?.queueId, first?.recipients[0]?.lastReply?.code, first?.recipients[0]?.tries],
      ['q1', 450, 1],
    )
    assert.equal(parseAddress('bob@beta.test')?.local, first?.envelope.recipients[0]?.address.local)
    assert.equal(await desk.entry('none'), null)
    assert.equal(await desk.retry('none'), 0)
    assert.equal(await desk.retry('q1'), 1)
    queue.wake()
    await log.heard('deferred', 4)
    assert.equal(relay.tries.at(-1)?.queueId, 'q1')
    assert.equal(await desk.retry(null), 3)
    queue.wake()
    await log.heard('deferred', 7)

    assert.equal(await desk.drop('none', false), false)
    assert.equal(await desk.drop('q1', false), true)
    assert.equal(await desk.drop('q2', true), true)
    queue.wake()
    await log.heard('failed')
    assert.match(text(await local.tried(1)), /^Diagnostic-Code: smtp; 554 5\.3\.0 given up/m)
    await log.heard('delivered')
    assert.deepEqual(
      (await desk.entries()).map((one) => one.queueId),
      ['q3'],
    )
    assert.equal(local.tries.length, 1, 'a plain drop tells nobody')
    assert.equal(relay.tries.length, 7, 'nothing is tried for what was given up')
  }))

test('what was given up does not wait for its domain', async () => {
  const waiting: (() => void)[] = []
  const relay = () => new Promise<Outcome>((resolve) => waiting.push(() => resolve(UNREACHABLE)))
  await withQueue(
    { relay },
    async ({ queue, relay, local, log }) => {
      for (const queueId of ['q1', 'q2']) {
        await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { queueId }))
      }
      queue.start()
      await relay.tried(1)
      await queue.drop('q2', true)
      for (const go of waiting) go()
      await log.heard('failed')
      assert.match(text(await local.tried(1)), /given up/)
      assert.equal(await queue.entry('q2'), null)
    },
    { limits: { perDomain: 1 } },
  )
})

test('giving up during a try counts when the try fails, and not when it succeeds', async () => {
  for (const outcome of [LATER, RELAYED]) {
    const waiting: (() => void)[] = []
    const relay = () => new Promise<Outcome>((resolve) => waiting.push(() => resolve(outcome)))
    await withQueue({ relay }, async ({ queue, relay, local, log }) => {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])))
      queue.start()
      await relay.tried(1)
      await queue.drop('q1', true)
      for (const go of waiting) go()
      await log.heard(outcome === LATER ? 'failed' : 'delivered')
      if (outcome === LATER) await local.tried(1)
      assert.equal(await queue.entry('q1'), null)
      assert.equal(relay.tries.length, 1)
    })
  }
})

test('the next try comes by itself when its time has come, and so does what another process did', () =>
  withQueue(
    { relay: (_, tries) => (tries < 3 ? LATER : RELAYED) },
    async ({ queue, relay, log, clock, folder }) => {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])))
      queue.start()
      await log.heard('deferred')
      while (relay.tries.length < 2) await clock.advance(1000)
      await log.heard('deferred', 2)
      await using desk = await openQueueDesk({ path: folder.join('queue.db'), clock })
      const { nextTry } = (await desk.entry('q1'))!.recipients[0]!
      await desk.retry('q1')
      while (relay.tries.length < 3) await clock.advance(1000)
      assert.ok(clock.now() < nextTry, 'sooner than its own next try')
      await log.heard('delivered')
    },
    { schedule: { delays: [60_000, 48 * HOUR] } },
  ))

test('the journey can be followed by its queue id, without content or local-parts of what servers say', () =>
  withQueue(
    {
      relay: (_, tries) =>
        tries === 1
          ? {
              kind: 'deferred',
              why: { code: 450, enhanced: '4.2.0', lines: ['<bob@beta.test> is away'] },
              remote: 'mx.beta.test',
            }
          : RELAYED,
    },
    async ({ queue, log, nextTry }) => {
      await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])))
      queue.start()
      await log.heard('deferred')
      await nextTry()
      const journey = log.lines.filter((line) => line['queueId'] === 'q1')
      assert.deepEqual(
        journey.map(({ msg }) => msg),
        ['mail queued', 'deferred', 'delivered'],
      )
      assert.equal(journey[1]?.['said'], '*@beta.test> is away')
      assert.doesNotMatch(JSON.stringify(journey), /greetings|Dear/)
    },
  ))

test('a warning comes after the time that was set', () =>
  withQueue(
    { relay: LATER },
    async ({ queue, local, clock, log, nextTry }) => {
      await queue.enqueue(
        queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { arrived: clock.now() - 2 * HOUR }),
      )
      queue.start()
      await log.heard('deferred')
      assert.match(text(await local.tried(1)), /^Action: delayed\r$/m)
      await nextTry()
      assert.equal(log.said('sender is told').length, 1)
    },
    { schedule: { warnAfter: HOUR } },
  ))
