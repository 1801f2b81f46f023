import assert from 'node:assert/strict'
import { isAscii } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { formatAddress } from '#formats/message/address.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { originalOf, unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { createMetrics } from '#lib/metrics.ts'
import type { Discoverer, Discovery, Evidence } from '#privacy/discovery/discovery.ts'
import { sealForLater } from '#privacy/e2e/seal.ts'
import { openPickupStore } from '#privacy/pickup/pickup-store.ts'
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
import { address, envelope, queuedMail, recipient } from '../../../test/support/fake-mail.ts'
import { CANARY_LETTER } from '../../../test/support/letters.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/support/temporary.ts'
import { openQueue } from '../queue/durable-queue.ts'
import type { Outcome, Queue, QueuedMail } from '../queue/queue.ts'
import { encodeWaiting, type WaitingSeal } from '../queue/waiting.ts'
import type { SealingOptions, ToldMail } from './sealing.ts'
import { createSealingAgent } from './sealing-agent.ts'

const TRACE = Buffer.from('Received: by mx.alpha.test id q1; Mon, 02 Nov 2026 12:00:00 +0000\r\n')
const later = await sealForLater(CANARY_LETTER, null)
const CONTENT = Buffer.concat([TRACE, later.content])

const created = new Date(Date.UTC(2026, 0, 1))
const keysOf = (userId: string) => generateKeys({ userId, algorithm: 'curve25519', created })
const [bob, newBob, carl] = await Promise.all([
  keysOf('<bob@beta.test>'),
  keysOf('<bob@beta.test>'),
  keysOf('<carl@beta.test>'),
])
type Keys = typeof bob

const found = ({ certificate }: Keys, evidence: Evidence = 'secure-srv'): Discovery => ({
  kind: 'found',
  certificate,
  fingerprint: 'F'.repeat(40),
  evidence,
  steps: [],
  at: 0,
  until: 0,
})
const NONE: Discovery = { kind: 'none', steps: [] }
const REVOKED: Discovery = { kind: 'unusable', why: 'the certificate is revoked', steps: [] }
const DOWN: Discovery = { kind: 'temporary', why: 'the keyserver does not answer', steps: [] }

function opened(content: Uint8Array, keys: Keys): Buffer {
  using secret = openSecretKeys(Buffer.from(keys.secret))
  const message = unwrapEncrypted(content)!
  const { pkesks } = splitMessage(message)
  const [sessionKey] = pkesks.map((pkesk) => sessionKeyOf(secret, pkesk))
  if (pkesks.length !== 1 || !sessionKey) throw new Error('it is not sealed to these keys alone')
  return originalOf(Buffer.from(unseal(message, sessionKey)))
}

interface Rig {
  readonly queue: Queue
  readonly next: FakeAgent
  readonly local: FakeAgent
  readonly clock: FakeClock
  readonly log: FakeLog
  readonly told: [string, ToldMail][]
  /** What is asked of discovery, and what it answers. */
  readonly asked: string[]
  answer: (recipient: string) => Discovery | Promise<Discovery>
  readonly options: SealingOptions
  readonly folder: TemporaryDirectory
  readonly again: () => Promise<Queue>
  readonly nextTry: () => Promise<void>
}

async function withSealing(
  { next: answer = RELAYED, room }: { next?: Outcome | Parameters<typeof createFakeAgent>[0]; room?: number },
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryDirectory('sealing')
  const clock = createFakeClock()
  const log = createFakeLog()
  const next = createFakeAgent(typeof answer === 'function' ? answer : () => answer)
  const local = createFakeAgent(() => DELIVERED)
  const key = randomBytes(32)
  const path = folder.join('pickup.db')
  await using store = await openPickupStore({ path, key, clock, logger: log, ...(room ? { room } : {}) })
  const told: Rig['told'] = []
  const asked: string[] = []
  const discover: Discoverer['discover'] = async (one, options) => {
    asked.push(`${formatAddress(one)} for ${options?.account}`)
    return await rig.answer(formatAddress(one))
  }
  const options: SealingOptions = {
    next,
    discovery: { discoverer: async () => ({ discover }) as Discoverer },
    pickup: async () => store,
    author: {
      leftInClear: async (mail) => void told.push(['in clear', mail]),
      keptForPickup: async (mail) => void told.push(['pickup', mail]),
    },
    clock,
    logger: log,
    metrics: createMetrics(),
  }
  const again = () =>
    openQueue({
      path: folder.join('queue.db'),
      key,
      isLocal: (domain) => domain === 'alpha.test',
      hostname: 'mx.alpha.test',
      metrics: createMetrics(),
      random: () => 0.5,
      schedule: { delays: [3_600_000, 12 * 3_600_000] },
      relay: createSealingAgent(options),
      local,
      clock,
      logger: log,
    })
  await using queue = await again()
  const nextTry = async () => {
    const before = log.lines.length
    clock.set((await queue.entry('q1'))!.recipients[0]!.nextTry)
    queue.wake()
    while (!log.lines.slice(before).some((line) => line['queueId'] === 'q1' && 'tries' in line)) await log.next()
  }
  const rig: Rig = { queue, next, local, clock, log, told, asked, options, folder, again, nextTry, answer: () => DOWN }
  await run(rig)
  await stop(rig)
  assert.doesNotMatch(JSON.stringify(log.lines), /canary/)
}

const waitingMail = (rule: Partial<WaitingSeal> = {}, rest: Partial<QueuedMail> = {}): QueuedMail => {
  const sessionKey = Buffer.from(later.sessionKey)
  const waiting = encodeWaiting({ sessionKey, withoutKey: 'plain', isDemanded: false, account: 'anna', ...rule })
  return queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { content: CONTENT, waiting, ...rest })
}

/** Without grace, which takes a moment of the clock. */
async function stop({ queue, clock }: Rig): Promise<void> {
  let isOver = false
  const stopped = queue.stop(0).finally(() => {
    isOver = true
  })
  while (!isOver) await clock.advance(1)
  await stopped
}

const NO_SIGNAL = new AbortController().signal
const deliver = ({ options }: Rig, mail: QueuedMail) =>
  createSealingAgent(options).deliver(mail, mail.envelope.recipients, NO_SIGNAL)

test('mail that does not wait passes as it is, and nobody is asked', () =>
  withSealing({}, async (rig) => {
    const mail = queuedMail(envelope('anna@alpha.test', ['bob@beta.test']))
    assert.deepEqual(await deliver(rig, mail), [RELAYED])
    assert.equal(rig.next.tries[0]?.mail, mail)
    assert.deepEqual(rig.asked, [])
  }))

test('it waits while nobody can say, and goes sealed to the key of the day when it is found', () =>
  withSealing({}, async (rig) => {
    const { queue, next, log, asked, nextTry } = rig
    await queue.enqueue(waitingMail())
    queue.start()
    const deferred = await log.heard('deferred')
    assert.deepEqual([deferred['code'], deferred['status']], [451, '4.7.5'])
    assert.match(String(deferred['said']), /certificate could not be looked up: the keyserver does not answer/)
    await nextTry()
    assert.equal(next.tries.length, 0)
    rig.answer = () => found(newBob)
    await nextTry()
    assert.equal(next.tries.length, 1)
    const { mail } = next.tries[0]!
    assert.deepEqual(opened(mail.content, newBob), CANARY_LETTER)
    assert.throws(() => opened(mail.content, bob), /not sealed to these keys/)
    assert.ok(Buffer.from(mail.content).subarray(0, TRACE.length).equals(TRACE))
    assert.ok(isAscii(mail.content))
    assert.equal('waiting' in mail, false)
    assert.deepEqual(asked, Array(3).fill('bob@beta.test for anna'))
    assert.deepEqual(await queue.entries(), [])
  }))

test('a next hop that is away leaves it waiting: a key that changes meanwhile is the one it is sealed to', () =>
  withSealing({ next: (_, tries) => (tries === 1 ? LATER : RELAYED) }, async (rig) => {
    rig.answer = () => found(bob)
    await rig.queue.enqueue(waitingMail())
    rig.queue.start()
    await rig.log.heard('deferred')
    rig.answer = () => found(newBob)
    await rig.nextTry()
    const contents = rig.next.tries.map(({ mail }) => mail.content)
    assert.deepEqual(opened(contents[0]!, bob), CANARY_LETTER)
    assert.deepEqual(opened(contents[1]!, newBob), CANARY_LETTER)
  }))

test('at the end of the schedule its author gets it back, sealed, whatever the report carries', async () => {
  for (const ret of ['full', 'hdrs', null] as const) {
    await withSealing({}, async ({ queue, local, next, log, nextTry }) => {
      const sent = envelope('anna@alpha.test', ['bob@beta.test'], { ret })
      await queue.enqueue(waitingMail({ withoutKey: 'plain' }, { envelope: sent }))
      queue.start()
      await log.heard('deferred')
      while (await queue.entry('q1')) await nextTry()
      await log.heard('delivered', 2)
      assert.equal(next.tries.length, 0)
      const [warning, end] = local.tries.map(({ mail }) => Buffer.from(mail.content).toString())
      assert.match(warning!, /^Action: delayed\r$/m)
      assert.match(
        warning!.replaceAll(/\s+/g, ' '),
        /reason: 451 4\.7\.5 .*could not be looked u(= )?p: the keyserver does not answer; the message has not left/,
      )
      assert.match(end!, /^Action: failed\r$/m)
      assert.match(end!, /^Status: 4\.4\.7\r$/m)
      assert.doesNotMatch(end!, /is kept/, 'it is not any more')
      assert.equal(/BEGIN PGP MESSAGE/.test(end!), ret === 'full')
      for (const report of [warning!, end!]) {
        const text = [report, ...decodedParts(report)].join('\n')
        assert.doesNotMatch(text, /canary/)
        assert.equal(text.includes(Buffer.from(later.sessionKey.subarray(1)).toString('base64')), false)
      }
    })
  }
})

const decodedParts = (report: string): string[] =>
  report.split('\r\n\r\n').map((part) => Buffer.from(part, 'base64').toString('latin1'))

test('without a certificate the policy of the author counts', async () => {
  const unproven = found(bob, 'wkd')
  const cases = [
    [NONE, {}, 'plain'],
    [REVOKED, {}, 'plain'],
    [REVOKED, { withoutKey: 'refuse' }, 'refused'],
    [NONE, { withoutKey: 'refuse' }, 'refused'],
    [NONE, { isDemanded: true }, 'refused'],
    [NONE, { withoutKey: 'pickup' }, 'pickup'],
    [REVOKED, { withoutKey: 'pickup', isDemanded: true }, 'pickup'],
    [unproven, {}, 'plain'],
    [unproven, { withoutKey: 'warn' }, 'plain'],
    [unproven, { withoutKey: 'refuse' }, 'sealed'],
    [unproven, { withoutKey: 'pickup' }, 'sealed'],
    [unproven, { isDemanded: true }, 'sealed'],
    [found(bob, 'openpgpkey'), {}, 'sealed'],
    [found(bob, 'accepted'), {}, 'sealed'],
    [found(bob, 'local'), {}, 'sealed'],
  ] as const
  for (const [answer, rule, expected] of cases) {
    await withSealing({}, async (rig) => {
      rig.answer = () => answer
      const [outcome] = await deliver(rig, waitingMail(rule))
      const [sent] = rig.next.tries.map(({ mail }) => Buffer.from(mail.content))
      const name = `${answer.kind} ${JSON.stringify(rule)}`
      if (expected === 'plain') assert.deepEqual(sent, Buffer.concat([TRACE, CANARY_LETTER]), name)
      else if (expected === 'sealed') assert.deepEqual(opened(sent!, bob), CANARY_LETTER, name)
      else assert.equal(sent, undefined, name)
      assert.equal(outcome?.kind, expected === 'refused' ? 'failed' : 'delivered', name)
      const kept = await (await rig.options.pickup()).list('anna')
      assert.equal(kept.length, expected === 'pickup' ? 1 : 0, name)
    })
  }
})

test('what policy refuses fails for good, and its author gets the sealed form back', () =>
  withSealing({}, async (rig) => {
    rig.answer = () => REVOKED
    const sent = envelope('anna@alpha.test', ['bob@beta.test'], { ret: 'full' })
    await rig.queue.enqueue(waitingMail({ withoutKey: 'refuse' }, { envelope: sent }))
    rig.queue.start()
    const report = Buffer.from((await rig.local.tried(1)).mail.content).toString()
    assert.match(report, /^Status: 5\.7\.1\r$/m)
    assert.match(report.replaceAll(/\s+/g, ' '), /may not leave unsealed.*the certificate is revoked/)
    assert.match(report, /BEGIN PGP MESSAGE/)
    assert.doesNotMatch([report, ...decodedParts(report)].join('\n'), /canary/)
    assert.equal(rig.next.tries.length, 0)
  }))

test('where policy wants it the author hears of mail that left in clear, unless nobody was spoken to', async () => {
  for (const [next, withoutKey, times] of [
    [RELAYED, 'warn', 1],
    [NEVER, 'warn', 1],
    [UNREACHABLE, 'warn', 0],
    [RELAYED, 'plain', 0],
  ] as const) {
    await withSealing({ next }, async (rig) => {
      rig.answer = () => NONE
      const mail = waitingMail({ withoutKey })
      assert.deepEqual(await deliver(rig, mail), [next])
      const why = 'no certificate is published for this address'
      const told = { account: 'anna', queueId: 'q1', recipient: address('bob@beta.test'), why, arrived: mail.arrived }
      assert.deepEqual(rig.told, Array(times).fill(['in clear', told]))
      assert.equal(rig.log.said('waiting mail leaves in clear, as its policy says').length, 1)
    })
  }
})

test('an author who cannot be told does not hold up mail', () =>
  withSealing({}, async (rig) => {
    rig.answer = () => NONE
    const author = { ...rig.options.author, leftInClear: () => Promise.reject(new Error('over quota')) }
    const agent = createSealingAgent({ ...rig.options, author })
    const mail = waitingMail({ withoutKey: 'warn' })
    assert.deepEqual(await agent.deliver(mail, mail.envelope.recipients, NO_SIGNAL), [RELAYED])
    assert.equal(rig.log.said('the author of waiting mail was not told').length, 1)
  }))

test('mail for pickup is kept sealed, once, told to its author and reported to nobody as delivered', () =>
  withSealing({}, async (rig) => {
    rig.answer = () => NONE
    const asked = recipient('bob@beta.test', { notify: ['success'] })
    const mail = waitingMail({ withoutKey: 'pickup' }, { envelope: envelope('anna@alpha.test', [asked]) })
    // A try that was killed before its outcome was written down.
    await deliver(rig, waitingMail({ withoutKey: 'pickup' }))
    await rig.queue.enqueue(mail)
    rig.queue.start()
    await rig.log.heard('delivered')
    const store = await rig.options.pickup()
    const kept = await store.list()
    assert.deepEqual(
      kept.map(({ account, author, recipient: to }) => [account, author, to]),
      [['anna', address('anna@alpha.test'), address('bob@beta.test')]],
    )
    const read = await store.read(kept[0]!.id)
    assert.deepEqual(read?.message, CONTENT)
    assert.deepEqual(read?.sessionKey, Buffer.from(later.sessionKey))
    assert.deepEqual(
      rig.told.map(([what, { queueId }]) => [what, queueId]),
      Array(2).fill(['pickup', 'q1']),
    )
    assert.deepEqual([rig.local.tries.length, await rig.queue.entries()], [0, []])
  }))

test('when the room for pickup is full it waits, and what nobody could be told of is not kept', () =>
  withSealing({ room: 10 }, async (rig) => {
    rig.answer = () => NONE
    const [full] = await deliver(rig, waitingMail({ withoutKey: 'pickup' }))
    assert.ok(full?.kind === 'deferred' && full.why.code === 452)
    const anonymous = envelope(null, ['bob@beta.test'])
    const [refused] = await deliver(rig, waitingMail({ withoutKey: 'pickup' }, { envelope: anonymous }))
    assert.equal(refused?.kind, 'failed')
  }))

test('each recipient has an outcome and a copy of its own', () =>
  withSealing({}, async (rig) => {
    const answers: Record<string, Discovery> = { bob: found(bob), carl: found(carl), dan: DOWN, eve: NONE }
    rig.answer = (one) => answers[one.split('@')[0]!]!
    const to = ['bob', 'carl', 'dan', 'eve'].map((name) => `${name}@beta.test`)
    const outcomes = await deliver(
      rig,
      waitingMail({ withoutKey: 'refuse' }, { envelope: envelope('anna@alpha.test', to) }),
    )
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['delivered', 'delivered', 'deferred', 'failed'],
    )
    assert.deepEqual(
      rig.next.tries.map((one) => [one.to, one.mail.envelope.recipients.length]),
      [
        [['bob@beta.test'], 1],
        [['carl@beta.test'], 1],
      ],
    )
    assert.deepEqual(opened(rig.next.tries[0]!.mail.content, bob), CANARY_LETTER)
    assert.deepEqual(opened(rig.next.tries[1]!.mail.content, carl), CANARY_LETTER)
  }))

test('trouble of ours makes it wait, and never leave in clear', () =>
  withSealing({}, async (rig) => {
    const outcomeOf = async (mail = waitingMail()) => {
      const [outcome] = await deliver(rig, mail)
      return outcome?.kind === 'deferred' && outcome.why.enhanced
    }
    rig.answer = () => Promise.reject(new Error('disk'))
    assert.equal(await outcomeOf(), '4.3.0')
    rig.answer = () => found({ ...bob, certificate: Buffer.from('none') })
    assert.equal(await outcomeOf(), '4.3.0')
    rig.answer = () => NONE
    assert.equal(await outcomeOf(waitingMail({ sessionKey: randomBytes(17) })), '4.3.0')
    assert.equal(rig.next.tries.length, 0)
    assert.equal(rig.log.said('waiting mail could not be sealed').length, 3)
    await rig.queue.enqueue(waitingMail({}, { waiting: Buffer.from('{}') }))
    rig.queue.start()
    await rig.log.heard('try failed by itself')
    assert.equal(rig.next.tries.length, 0)
  }))

test('what was cut short while it was looked up, or handed on, is there once: by the next process', async () => {
  const never = new Promise<never>(() => {})
  for (const where of ['looked up', 'handed on'] as const) {
    await withSealing({ next: (_, tries) => (tries === 1 && where === 'handed on' ? never : RELAYED) }, async (rig) => {
      const begun = Promise.withResolvers<void>()
      rig.answer = () => {
        begun.resolve()
        return where === 'looked up' ? never : found(bob)
      }
      await rig.queue.enqueue(waitingMail())
      rig.queue.start()
      await begun.promise
      if (where === 'handed on') await rig.next.tried(1)
      rig.answer = () => found(bob)
      const before = rig.next.tries.length
      await using after = await rig.again()
      after.start()
      await rig.log.heard('delivered')
      assert.equal(rig.next.tries.length - before, 1)
      assert.deepEqual(opened(rig.next.tries.at(-1)!.mail.content, bob), CANARY_LETTER)
      assert.deepEqual(await after.entries(), [])
      rig.next.abandon()
    })
  }
})

test('a server that stops does not wait for an answer, and does not count the try', () =>
  withSealing({}, async (rig) => {
    const begun = Promise.withResolvers<void>()
    rig.answer = () => {
      begun.resolve()
      return new Promise(() => {})
    }
    await rig.queue.enqueue(waitingMail())
    rig.queue.start()
    await begun.promise
    await stop(rig)
    const [left] = await rig.queue.entries()
    assert.deepEqual([left?.recipients[0]?.state, left?.recipients[0]?.tries], ['waiting', 0])
  }))
