import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { openQueue } from '#agents/queue/durable-queue.ts'
import type { Outcome } from '#agents/queue/queue.ts'
import { createRelay, type Relay, type RelayOptions } from '#agents/relay/relay.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import { systemClock } from '#lib/clock.ts'
import { noMetrics } from '#lib/metrics.ts'
import type { DnsAnswer, Resolver } from '#policy/dns/resolver.ts'
import { createFakeAgent, DELIVERED } from '../support/fake-agent.ts'
import { createFakeLog } from '../support/fake-log.ts'
import { envelope, LETTER, queuedMail, recipient } from '../support/fake-mail.ts'
import { needs } from '../support/needs.ts'
import { type Postfix, startPostfix } from '../support/peers/postfix.ts'
import { eventually } from '../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const NEVER = new AbortController().signal
const log = createFakeLog()

function resolverTo({ host, hostname }: Postfix): Resolver {
  const found = <R>(...records: R[]): DnsAnswer<R> => ({ kind: 'answer', secure: false, records, ttl: 60 })
  return {
    mx: async () => found({ preference: 10, exchange: hostname }),
    addresses: async () => found(host),
    txt: async () => found<string>(),
  }
}

function relayTo(postfix: Postfix, options: Partial<RelayOptions> = {}): Relay {
  return createRelay({
    resolver: resolverTo(postfix),
    hostname: 'mx.alpha.test',
    clock: systemClock,
    logger: log,
    ports: { smtp: postfix.port },
    allowPrivate: true,
    ...options,
  })
}

/** Takes every address of beta.test but nobody@. */
async function openPostfix(directory: TemporaryDirectory): Promise<Postfix> {
  await mkdir(directory.join('postfix'))
  return await startPostfix({
    directory: directory.join('postfix'),
    domains: ['beta.test'],
    deliverTo: 'maildir',
    tls: true,
    settings: {
      message_size_limit: '3000000',
      smtpd_recipient_restrictions:
        'check_recipient_access inline:{ { nobody@beta.test = 550 5.1.1 nobody here } }, reject_unauth_destination',
    },
  })
}

/** The messages in the Maildir that contain `mark`, once there are so many. */
async function arrived(postfix: Postfix, mark: string, messages: number): Promise<string[]> {
  return await eventually('the messages', async () => {
    const kept = (await postfix.maildir()).map(({ content }) => content.toString())
    const marked = kept.filter((text) => text.includes(mark))
    return marked.length >= messages && marked
  })
}

const spell = (outcomes: readonly Outcome[]) =>
  outcomes.map((one) => `${one.kind} ${(one.kind === 'delivered' ? one.by : one.why)?.enhanced}`)

describe('Postfix as the next hop', needs('postfix', 'openssl', 'root'), () => {
  let directory: TemporaryDirectory
  let postfix: Postfix
  before(async () => {
    directory = await temporaryDirectory('relay-postfix', true)
    postfix = await openPostfix(directory)
  })
  after(async () => {
    await postfix?.stop()
    await directory?.[Symbol.asyncDispose]()
  })

  it('takes the exact octets over STARTTLS, answers per recipient, and takes over the reports', async () => {
    const ca = await readFile(postfix.certificate!.ca, 'utf8')
    await using relay = relayTo(postfix, { tls: { ca: [ca] } })
    const asked = recipient('bob@beta.test', { notify: ['failure'], orcpt: 'rfc822;Bob+x@beta.test' })
    const sent = envelope('anna@alpha.test', ['nobody@beta.test', asked], { envid: 'id 1', ret: 'hdrs' })
    const outcomes = await relay.deliver(queuedMail(sent), sent.recipients, NEVER)
    assert.deepEqual(spell(outcomes), ['failed 5.1.1', 'delivered 2.0.0'])
    assert.equal(outcomes[1]?.kind === 'delivered' && outcomes[1].dsnRelayed, true)
    const ended = log.said('transaction with another server ended').at(-1)
    assert.equal(ended?.['tls'], 'TLSv1.3')
    assert.equal(ended?.['verified'], true)

    // A second message over the same session.
    const again = queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { queueId: 'q2' })
    assert.deepEqual(spell(await relay.deliver(again, again.envelope.recipients, NEVER)), ['delivered 2.0.0'])
    for (const text of await arrived(postfix, 'greetings', 2)) {
      assert.ok(text.endsWith(LETTER.replaceAll('\r\n', '\n')), text)
    }
    const connects = (await postfix.log()).split('\n').filter((line) => /smtpd\[\d+\]: connect from/.test(line))
    // startPostfix itself looked once whether it listens.
    assert.ok(connects.length <= 2, connects.join('\n'))
  })

  it('is a smarthost over required TLS, unless its certificate is unknown', async () => {
    const smarthost = { host: postfix.host, port: postfix.port, tls: 'required' as const }
    const mail = queuedMail(envelope('anna@alpha.test', ['bob@beta.test']))
    await using careful = relayTo(postfix, { smarthost })
    assert.deepEqual(spell(await careful.deliver(mail, mail.envelope.recipients, NEVER)), ['deferred 4.7.5'])
    const ca = await readFile(postfix.certificate!.ca, 'utf8')
    await using trusting = relayTo(postfix, { smarthost, tls: { ca: [ca] } })
    assert.deepEqual(spell(await trusting.deliver(mail, mail.envelope.recipients, NEVER)), ['delivered 2.0.0'])
  })

  it('takes UTF-8 addresses and a large message with dots, not a too large one', async () => {
    await using relay = relayTo(postfix)
    const send = async (sent: Envelope, content: Buffer) =>
      spell(await relay.deliver(queuedMail(sent, { content }), sent.recipients, NEVER))
    const utf8 = Buffer.from('From: ännä@alpha.test\r\nSubject: grüße\r\n\r\nhallo\r\n')
    const letters = envelope('ännä@alpha.test', ['bøb@beta.test'], { smtputf8: true })
    assert.deepEqual(await send(letters, utf8), ['delivered 2.0.0'])
    await arrived(postfix, 'grüße', 1)

    const plain = envelope('anna@alpha.test', ['bob@beta.test'])
    const body = '..\r\n.\r\n.x\r\nplain line of text\r\n'.repeat(60_000)
    assert.deepEqual(await send(plain, Buffer.from(`Subject: large\r\n\r\n${body}`)), ['delivered 2.0.0'])
    const [large] = await arrived(postfix, 'Subject: large', 1)
    assert.ok(large?.endsWith(body.replaceAll('\r\n', '\n')))
    assert.deepEqual(await send(plain, Buffer.alloc(3_000_001, 'xx\r\n')), ['failed 5.3.4'])
  })

  it('refuses a recipient, and the sender hears of it through the queue', async () => {
    await using relay = relayTo(postfix)
    const local = createFakeAgent(() => DELIVERED)
    await using queue = await openQueue({
      path: directory.join('queue.db'),
      key: randomBytes(32),
      local,
      relay,
      isLocal: (domain) => domain === 'alpha.test',
      hostname: 'mx.alpha.test',
      clock: systemClock,
      logger: log,
      metrics: noMetrics,
    })
    queue.start()
    const content = Buffer.from('Subject: half\r\n\r\nbody\r\n')
    await queue.enqueue(queuedMail(envelope('anna@alpha.test', ['bob@beta.test', 'nobody@beta.test']), { content }))
    const report = await local.tried(1)
    assert.deepEqual(report.to, ['anna@alpha.test'])
    const text = Buffer.from(report.mail.content).toString()
    assert.match(text, /^Final-Recipient: rfc822; nobody@beta\.test\r$/m)
    assert.match(text, /^Status: 5\.1\.1\r$/m)
    assert.doesNotMatch(text, /Final-Recipient: rfc822; bob/)
    assert.equal((await arrived(postfix, 'Subject: half', 1)).length, 1)
  })
})
