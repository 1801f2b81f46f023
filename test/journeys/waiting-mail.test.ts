/**
 * Mail whose recipient's certificate cannot be looked up: from the queue over a real lookup and a real relay to a next hop, while the
 * keyserver, its DNS and the key itself change.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { openQueue } from '#agents/queue/durable-queue.ts'
import type { Queue } from '#agents/queue/queue.ts'
import { encodeWaiting } from '#agents/queue/waiting.ts'
import { createRelay } from '#agents/relay/relay.ts'
import { createSealingAgent } from '#agents/sealing/sealing-agent.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { originalOf, unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createDiscoverer } from '#privacy/discovery/discoverer.ts'
import type { WithoutKey } from '#privacy/e2e/e2e.ts'
import { sealForLater } from '#privacy/e2e/seal.ts'
import { createFakeAgent, DELIVERED, type FakeAgent } from '../support/fake-agent.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createFakeLog, type FakeLog } from '../support/fake-log.ts'
import { envelope, queuedMail } from '../support/fake-mail.ts'
import { type FakeMta, startFakeMta } from '../support/fake-mta.ts'
import { createFakeResolver, type FakeZone } from '../support/fake-resolver.ts'
import { type FakeWeb, startFakeWeb } from '../support/fake-web.ts'
import { CANARY_LETTER } from '../support/letters.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const KEYS = 'keys.beta.test'
const LOOKUP = `${KEYS} /pks/lookup`
const SRV = '_hkps._tcp.beta.test'
const HOUR = 3_600_000

interface Rig {
  readonly queue: Queue
  readonly mta: FakeMta
  readonly zone: FakeZone
  /** Where the author's reports arrive. */
  readonly reports: FakeAgent
  readonly clock: FakeClock
  readonly log: FakeLog
  /** Everything that a try comes to, once its time has come. */
  readonly nextTry: () => Promise<void>
}

describe('mail that waits for a certificate', () => {
  let web: FakeWeb
  let certificate: Buffer
  let revoked: Buffer
  let secret: Buffer

  before(async () => {
    web = await startFakeWeb(KEYS)
    const made = await generateKeys({
      userId: '<bob@beta.test>',
      algorithm: 'curve25519',
      created: new Date(Date.UTC(2026, 0, 1)),
    })
    certificate = made.certificate
    revoked = withRevocation(made.certificate, Buffer.from(made.revocation))
    secret = Buffer.from(made.secret)
  })
  after(() => web[Symbol.asyncDispose]())

  /** The keyserver is down when the mail is sent. */
  async function journey(withoutKey: WithoutKey, keywords: readonly string[], run: (rig: Rig) => Promise<void>) {
    await using folder = await temporaryDirectory('waiting-mail')
    await using mta = await startFakeMta({ keywords })
    const zone: FakeZone = {
      [SRV]: { secure: true, srv: [{ priority: 0, weight: 0, port: web.port, target: KEYS }] },
      [KEYS]: { addresses: ['127.0.0.1'] },
      'beta.test': { mx: [{ preference: 10, exchange: 'mx.beta.test' }] },
      'mx.beta.test': { addresses: ['127.0.0.1'] },
    }
    web.pages[LOOKUP] = { status: 503 }
    const resolver = createFakeResolver(zone)
    const clock = createFakeClock()
    const log = createFakeLog()
    const shared = { resolver, clock, logger: log, allowPrivate: true }
    await using discoverer = await createDiscoverer({
      ...shared,
      directory: null,
      cache: { path: folder.join('discovery.db'), key: randomBytes(32) },
      ca: [web.ca],
      httpsPort: web.port,
    })
    await using relay = createRelay({ ...shared, hostname: 'mx.alpha.test', ports: { smtp: mta.port } })
    const sealing = createSealingAgent({
      next: relay,
      discovery: { discoverer: async () => discoverer },
      pickup: () => Promise.reject(new Error('nothing is for pickup here')),
      author: { leftInClear: async () => {}, keptForPickup: async () => {} },
      clock,
      logger: log,
      metrics: noMetrics,
    })
    const reports = createFakeAgent(() => DELIVERED)
    await using queue = await openQueue({
      path: folder.join('queue.db'),
      key: randomBytes(32),
      local: reports,
      relay: sealing,
      isLocal: (domain) => domain === 'alpha.test',
      hostname: 'mx.alpha.test',
      clock,
      logger: log,
      metrics: noMetrics,
      random: () => 0.5,
      schedule: { delays: [HOUR], warnAfter: 24 * HOUR, giveUpAfter: 6 * HOUR },
    })
    const settled = async (before: number) => {
      while (!log.lines.slice(before).some((line) => line['queueId'] === 'q1' && 'tries' in line)) await log.next()
    }
    const { content, sessionKey } = await sealForLater(CANARY_LETTER, null)
    const waiting = encodeWaiting({ sessionKey, withoutKey, isDemanded: false, account: 'anna' })
    const sent = envelope('anna@alpha.test', ['bob@beta.test'], { ret: 'full', smtputf8: true })
    await queue.enqueue(queuedMail(sent, { content, waiting }))
    queue.start()
    await settled(0)
    assert.equal((await queue.entry('q1'))?.recipients[0]?.lastReply?.enhanced, '4.7.5')
    const nextTry = async () => {
      const seen = log.lines.length
      clock.set((await queue.entry('q1'))!.recipients[0]!.nextTry)
      queue.wake()
      await settled(seen)
    }
    await run({ queue, mta, zone, reports, clock, log, nextTry })
    assert.doesNotMatch(JSON.stringify(log.lines), /canary/)
  }

  const reported = async ({ reports }: Rig): Promise<string> => {
    const report = Buffer.from((await reports.tried(1)).mail.content).toString('latin1')
    assert.doesNotMatch(report, /canary/)
    assert.match(report, /BEGIN PGP MESSAGE/)
    return report
  }

  it('arrives sealed once the keyserver is back, over servers that take 7-bit mail only', () =>
    journey('plain', ['PIPELINING'], async ({ queue, mta, nextTry }) => {
      await nextTry()
      assert.equal(mta.connections, 0)
      web.pages[LOOKUP] = { body: certificate }
      await nextTry()
      const [message, ...others] = mta.messages
      assert.deepEqual([others.length, await queue.entries()], [0, []])
      assert.match(message!.commands[0]!, /^MAIL FROM:<anna@alpha\.test>$/)
      assert.doesNotMatch(message!.content, /canary|[^\x00-\x7f]/)
      const container = unwrapEncrypted(Buffer.from(message!.content, 'latin1'))!
      using keys = openSecretKeys(secret)
      const [sessionKey] = splitMessage(container).pkesks.map((pkesk) => sessionKeyOf(keys, pkesk))
      assert.deepEqual(originalOf(Buffer.from(unseal(container, sessionKey!))), CANARY_LETTER)
    }))

  it('comes back to its author, still sealed, when the keyserver never does', () =>
    journey('plain', [], async (rig) => {
      while (await rig.queue.entry('q1')) await rig.nextTry()
      assert.match(await reported(rig), /^Status: 4\.4\.7\r$/m)
      assert.equal(rig.mta.connections, 0)
    }))

  it('waits while DNS cannot be believed', () =>
    journey('plain', [], async ({ zone, queue, mta, nextTry }) => {
      for (const trouble of ['bogus', 'temporary'] as const) {
        zone[SRV] = trouble
        await nextTry()
        assert.equal((await queue.entry('q1'))?.recipients[0]?.lastReply?.enhanced, '4.7.5')
      }
      assert.equal(mta.connections, 0)
    }))

  it('is refused or sent, as its policy says, when the key was revoked meanwhile', async () => {
    await journey('refuse', [], async (rig) => {
      web.pages[LOOKUP] = { body: revoked }
      await rig.nextTry()
      assert.match(await reported(rig), /^Status: 5\.7\.1\r$/m)
      assert.equal(rig.mta.connections, 0)
    })
    await journey('warn', ['8BITMIME'], async ({ mta, nextTry }) => {
      web.pages[LOOKUP] = { body: revoked }
      await nextTry()
      assert.match(mta.messages[0]!.commands[0]!, / BODY=8BITMIME/)
      assert.deepEqual(Buffer.from(mta.messages[0]!.content, 'latin1'), CANARY_LETTER)
    })
  })

  it('takes no key from DNS that is not signed any more', () =>
    journey('refuse', [], async (rig) => {
      const { zone, mta, nextTry } = rig
      zone[SRV] = { ...(zone[SRV] as object), secure: false }
      web.pages[LOOKUP] = { body: certificate }
      await nextTry()
      assert.match(await reported(rig), /^Status: 5\.7\.1\r$/m)
      assert.equal(mta.connections, 0)
    }))
})
