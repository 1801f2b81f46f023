import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { DnsAnswer, MxRecord, Resolver } from '#policy/dns/resolver.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog, type FakeLog } from '../../../test/support/fake-log.ts'
import { envelope, LETTER, queuedMail, recipient } from '../../../test/support/fake-mail.ts'
import { type FakeMtaOptions, startFakeMta } from '../../../test/support/fake-mta.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { selfSigned } from '../../../test/support/tls.ts'
import type { Outcome, QueuedMail } from '../queue/queue.ts'
import { createRelay, type RelayOptions } from './relay.ts'

const NEVER = new AbortController().signal
const certificate = selfSigned('mta.test', '127.0.0.1')

/** Domains to their MX hosts in order; every host named `h<N>` is 127.0.0.N. */
function resolverOf(zone: Record<string, readonly string[]>): Resolver {
  const found = <R>(records: readonly R[]): DnsAnswer<R> => ({ kind: 'answer', secure: false, records, ttl: 60 })
  return {
    mx: async (domain) =>
      found<MxRecord>((zone[domain] ?? []).map((exchange, at) => ({ preference: 10 * at, exchange }))),
    addresses: async (host) => found(/^h\d+$/.test(host) ? [`127.0.0.${host.slice(1)}`] : []),
    txt: async () => found<string>([]),
  }
}

interface Rig {
  readonly deliver: (mail?: QueuedMail, signal?: AbortSignal) => Promise<readonly Outcome[]>
  readonly log: FakeLog
}

async function withRelay(
  port: number,
  options: Partial<RelayOptions>,
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const log = createFakeLog()
  await using relay = createRelay({
    resolver: resolverOf({ 'beta.test': ['h1'] }),
    hostname: 'mx.alpha.test',
    clock: createFakeClock(),
    logger: log,
    ports: { smtp: port },
    allowPrivate: true,
    ...options,
  })
  const toBob = queuedMail(envelope('anna@alpha.test', ['bob@beta.test']))
  await run({ deliver: (mail = toBob, signal = NEVER) => relay.deliver(mail, mail.envelope.recipients, signal), log })
}

async function withPeer(
  peer: FakeMtaOptions,
  run: (rig: Rig & { mta: Awaited<ReturnType<typeof startFakeMta>> }) => Promise<void>,
  options: Partial<RelayOptions> = {},
) {
  await using mta = await startFakeMta(peer)
  await withRelay(mta.port, options, (rig) => run({ ...rig, mta }))
}

const kinds = (outcomes: readonly Outcome[]) => outcomes.map((outcome) => outcome.kind)
function statusOf(outcome: Outcome | undefined): string {
  const said = outcome?.kind === 'delivered' ? outcome.by : outcome?.why
  return `${outcome?.kind} ${said?.code} ${said?.enhanced}`
}

for (const keywords of [['PIPELINING', '8BITMIME'], ['8BITMIME'], []]) {
  test(`hands over the exact octets, server offers [${keywords}]`, () =>
    withPeer({ keywords }, async ({ deliver, mta }) => {
      const [outcome] = await deliver()
      assert.equal(statusOf(outcome), 'delivered 250 2.0.0')
      assert.equal(mta.messages[0]?.content, LETTER)
      assert.deepEqual(mta.messages[0]?.commands, ['MAIL FROM:<anna@alpha.test>', 'RCPT TO:<bob@beta.test>', 'DATA'])
    }))
}

test('every recipient has the outcome of its own reply', () =>
  withPeer(
    {
      answer: (line) =>
        line.includes('<no@') ? '550 5.1.1 who?' : line.includes('<later@') ? '450 4.2.0 wait' : undefined,
    },
    async ({ deliver, mta }) => {
      const mail = queuedMail(envelope(null, ['no@beta.test', 'yes@beta.test', 'later@beta.test']))
      const outcomes = await deliver(mail)
      assert.deepEqual(outcomes.map(statusOf), ['failed 550 5.1.1', 'delivered 250 2.0.0', 'deferred 450 4.2.0'])
      assert.equal(mta.messages.length, 1)
      assert.equal(mta.said.includes('MAIL FROM:<>'), true)
    },
  ))

test('when nobody is left but the server goes on after pipelined DATA, it gets the empty message for nobody', () =>
  withPeer(
    {
      answer: (line) =>
        line.startsWith('RCPT')
          ? '550 5.1.1 who?'
          : line === 'DATA'
            ? '354 go on'
            : line === '.'
              ? '554 5.5.1 none'
              : undefined,
    },
    async ({ deliver, mta }) => {
      assert.deepEqual((await deliver()).map(statusOf), ['failed 550 5.1.1'])
      assert.equal(mta.messages.length, 0)
      // The session is still in step: it takes the next message after RSET.
      await deliver()
      assert.equal(mta.said.includes('RSET'), true)
      assert.equal(mta.connections, 1)
    },
  ))

test('hosts are tried in order until one takes the mail', async () => {
  await using second = await startFakeMta({ host: '127.0.0.3' })
  await using closing = await startFakeMta({
    host: '127.0.0.2',
    port: second.port,
    answer: (line) => (line.startsWith('MAIL') ? '421 4.3.2 closing' : undefined),
  })
  const resolver = resolverOf({ 'beta.test': ['h9', 'h2', 'h3'] })
  await withRelay(second.port, { resolver }, async ({ deliver }) => {
    const [outcome] = await deliver()
    assert.equal(outcome?.kind === 'delivered' && outcome.remote, 'h3')
    assert.equal(closing.connections, 1)
  })
})

test('no host there: the mail waits, and the queue learns that the domain cannot be reached', async () => {
  await using once = await startFakeMta({ host: '127.0.0.2' })
  await withRelay(once.port, { resolver: resolverOf({ 'beta.test': ['h9'] }) }, async ({ deliver }) => {
    const [outcome] = await deliver()
    assert.equal(statusOf(outcome), 'deferred 451 4.4.1')
    assert.equal(outcome?.kind === 'deferred' && outcome.unreachable, true)
  })
})

test('a 5xx greeting fails the mail only when no other host gives hope', async () => {
  await using refusing = await startFakeMta({ host: '127.0.0.2', greeting: '554 5.7.1 not you' })
  await withRelay(refusing.port, { resolver: resolverOf({ 'beta.test': ['h2'] }) }, async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['failed 554 5.7.1'])
  })
  await withRelay(refusing.port, { resolver: resolverOf({ 'beta.test': ['h2', 'h9'] }) }, async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['deferred 451 4.4.1'])
  })
})

test('STARTTLS is used where offered; what came in clear before the handshake counts no more', () =>
  withPeer(
    {
      tls: certificate,
      answer: (line) =>
        line === 'STARTTLS' ? '220 go on\r\n250 2.0.0 injected\r\n250 2.0.0 injected\r\n354 injected' : undefined,
    },
    async ({ deliver, mta, log }) => {
      assert.deepEqual(kinds(await deliver()), ['delivered'])
      assert.equal(mta.messages[0]?.tls, true)
      const ended = log.said('transaction with another server ended')[0]!
      assert.equal(ended['verified'], false)
      assert.match(String(ended['tls']), /^TLSv1\.[23]$/)
    },
  ))

test('a broken handshake leads to a second connection without TLS, and a line in the log', () =>
  withPeer({ tls: 'broken' }, async ({ deliver, mta, log }) => {
    assert.deepEqual(kinds(await deliver()), ['delivered'])
    assert.equal(mta.connections, 2)
    assert.equal(mta.messages[0]?.tls, false)
    assert.equal(log.said('TLS handshake failed, sending without TLS').length, 1)
  }))

test('a connection that breaks after the message was sent is in doubt: no other host, try later', async () => {
  await using first = await startFakeMta({ host: '127.0.0.2', answer: (line) => (line === '.' ? 'close' : undefined) })
  await using second = await startFakeMta({ host: '127.0.0.3', port: first.port })
  await withRelay(first.port, { resolver: resolverOf({ 'beta.test': ['h2', 'h3'] }) }, async ({ deliver }) => {
    const [outcome] = await deliver()
    assert.equal(statusOf(outcome), 'deferred 451 4.4.2')
    assert.match(outcome?.kind === 'deferred' ? outcome.why.lines[0]! : '', /may have arrived/)
    assert.equal(second.connections, 0)
  })
})

test('a server that answers before the message has ended: its answer counts, and nothing follows on that connection', async () => {
  const large = queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), {
    content: Buffer.from(`Subject: large\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(200_000)}`),
  })
  for (const [early, outcome] of [
    ['552 5.3.4 too big', 'failed 552 5.3.4'],
    ['250 2.0.0 fine', 'deferred 451 4.5.0'],
  ] as const) {
    await withPeer({ early }, async ({ deliver, mta }) => {
      assert.deepEqual((await deliver(large)).map(statusOf), [outcome])
      await deliver()
      assert.equal(mta.connections, 2)
    })
  }
})

test('a server that falls silent is given up when its time is over', async () => {
  const clock = createFakeClock()
  let asked: (() => void) | null = null
  const silent = new Promise<void>((resolve) => {
    asked = resolve
  })
  const answer = (line: string) => {
    if (!line.startsWith('EHLO')) return undefined
    asked?.()
    return 'silence' as const
  }
  await withPeer(
    { answer },
    async ({ deliver }) => {
      const outcome = deliver()
      await silent
      await clock.advance(300_000)
      assert.deepEqual((await outcome).map(statusOf), ['deferred 451 4.4.2'])
    },
    { clock },
  )
})

test('a stop cuts the conversation and the mail waits', async () => {
  const stop = new AbortController()
  const answer = (line: string) => {
    if (!line.startsWith('RCPT')) return undefined
    stop.abort()
    return 'silence' as const
  }
  await withPeer({ answer }, async ({ deliver }) => {
    assert.deepEqual(kinds(await deliver(undefined, stop.signal)), ['deferred'])
  })
})

test('what the server cannot carry fails with the reason, before anything is sent', async () => {
  const cases: [readonly string[], QueuedMail, string][] = [
    [['SIZE 100'], queuedMail(envelope('anna@alpha.test', ['bob@beta.test'])), 'failed 552 5.3.4'],
    [
      ['SIZE'],
      queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { content: Buffer.from('Subject: ü\r\n\r\n') }),
      'failed 554 5.6.3',
    ],
    [['8BITMIME'], queuedMail(envelope('anna@alpha.test', ['bøb@beta.test'], { smtputf8: true })), 'failed 553 5.6.7'],
    [
      ['8BITMIME'],
      queuedMail(envelope('anna@alpha.test', ['bob@beta.test'], { smtputf8: true }), {
        content: Buffer.from('Subject: ü\r\n\r\n'),
      }),
      'failed 553 5.6.7',
    ],
    [
      ['8BITMIME'],
      queuedMail(envelope('anna@alpha.test', ['bob@beta.test'], { smtputf8: true })),
      'delivered 250 2.0.0',
    ],
    [
      ['8BITMIME', 'SMTPUTF8'],
      queuedMail(envelope('anna@alpha.test', ['bøb@beta.test'], { smtputf8: true })),
      'delivered 250 2.0.0',
    ],
    [
      [],
      queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { content: Buffer.from('Subject: x\r\n\r\n.\n') }),
      'failed 554 5.6.0',
    ],
    [
      [],
      queuedMail(envelope('anna@alpha.test', ['bob@beta.test']), { content: Buffer.from('Subject: x\r\n\r\n.\r') }),
      'failed 554 5.6.0',
    ],
  ]
  for (const [keywords, mail, expected] of cases) {
    await withPeer({ keywords: ['PIPELINING', ...keywords] }, async ({ deliver, mta }) => {
      assert.deepEqual((await deliver(mail)).map(statusOf), [expected])
      assert.equal(
        mta.said.some((line) => line.startsWith('MAIL')),
        expected.startsWith('delivered'),
      )
    })
  }
})

test('wishes for reports go on where DSN is offered, and only there', async () => {
  const wishes = recipient('bob@beta.test', { notify: ['success', 'delay'], orcpt: 'rfc822;b+ob@beta.test' })
  const mail = queuedMail(envelope('anna@alpha.test', [wishes], { ret: 'hdrs', envid: 'my id' }))
  await withPeer({ keywords: ['DSN', 'SIZE 0'] }, async ({ deliver, mta }) => {
    const [outcome] = await deliver(mail)
    assert.equal(outcome?.kind === 'delivered' && outcome.dsnRelayed, true)
    assert.deepEqual(mta.said.slice(1, 3), [
      `MAIL FROM:<anna@alpha.test> SIZE=${LETTER.length} RET=HDRS ENVID=my+20id`,
      'RCPT TO:<bob@beta.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@beta.test',
    ])
  })
  await withPeer({ keywords: [] }, async ({ deliver, mta }) => {
    const [outcome] = await deliver(mail)
    assert.equal(outcome?.kind === 'delivered' && outcome.dsnRelayed, false)
    assert.equal(mta.said.includes('RCPT TO:<bob@beta.test>'), true)
  })
})

test('recipients that are too many for one transaction follow in the next', async () => {
  const recipients = Array.from({ length: 7 }, (_, at) => `r${at}@beta.test`)
  let accepted = 0
  const answer = (line: string) => {
    if (line.startsWith('MAIL')) accepted = 0
    if (!line.startsWith('RCPT')) return undefined
    return ++accepted > 3 ? '452 4.5.3 too many' : '250 2.1.5 ok'
  }
  await withPeer({ answer }, async ({ deliver, mta }) => {
    assert.deepEqual(
      kinds(await deliver(queuedMail(envelope('a@alpha.test', recipients)))),
      recipients.map(() => 'delivered'),
    )
    assert.equal(mta.messages.length, 3)
    assert.equal(mta.connections, 1)
  })
  await withPeer({ keywords: ['LIMITS RCPTMAX=2 MAILMAX=9'] }, async ({ deliver, mta }) => {
    await deliver(queuedMail(envelope('a@alpha.test', recipients)))
    assert.deepEqual(
      mta.messages.map(({ commands }) => commands.length),
      [4, 4, 4, 3],
    )
  })
})

test('552 to RCPT means too many recipients and is only for now; with 5.2.2 it is a full mailbox', () =>
  withPeer(
    {
      answer: (line) =>
        line.startsWith('RCPT TO:<a') ? '552 too many' : line.startsWith('RCPT TO:<b') ? '552 5.2.2 full' : undefined,
    },
    async ({ deliver }) => {
      const outcomes = await deliver(queuedMail(envelope('x@alpha.test', ['a@beta.test', 'b@beta.test'])))
      assert.deepEqual(outcomes.map(statusOf), ['deferred 452 4.5.3', 'failed 552 5.2.2'])
    },
  ))

test('an idle session carries the next mail, and ends after a while', async () => {
  const clock = createFakeClock()
  await withPeer(
    {},
    async ({ deliver, mta }) => {
      await deliver()
      await deliver()
      assert.equal(mta.connections, 1)
      await clock.advance(5000)
      await deliver()
      assert.equal(mta.connections, 2)
      // A session that the other side has ended is replaced without anybody noticing.
      mta.hangUp()
      assert.deepEqual(kinds(await deliver()), ['delivered'])
      assert.equal(mta.connections, 3)
    },
    { clock },
  )
})

test('a host that greets us by our own name is a loop', () =>
  withPeer({ hostname: 'mx.alpha.test' }, async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['failed 554 5.4.6'])
  }))

test('a server that speaks no SMTP, or without end, is left alone', async () => {
  for (const greeting of ['SSH-2.0-OpenSSH', `220-${'x'.repeat(5000)}`, '220-a\r\n220-b\r\n'.repeat(1000)]) {
    await withPeer({ greeting }, async ({ deliver }) => {
      assert.deepEqual((await deliver()).map(statusOf), ['deferred 451 4.4.2'])
    })
  }
})

const smarthost = (port: number, tls: 'required' | 'implicit', passwordFile: string) => ({
  smarthost: { host: '127.0.0.1', port, tls, user: 'letter', passwordFile },
})

test('a smarthost gets everything, with the login inside TLS only', async () => {
  await using directory = await temporaryDirectory('relay')
  const passwordFile = directory.join('password')
  await writeFile(passwordFile, 'correct horse\n')
  for (const [mechanism, tls] of [
    ['PLAIN', 'required'],
    ['LOGIN', 'implicit'],
  ] as const) {
    const answer = (line: string) => {
      if (line === `AUTH ${mechanism}` || line === Buffer.from('letter').toString('base64')) return '334 '
      if (line.startsWith('AUTH')) return '504 5.5.4 no'
      return undefined
    }
    const peer = { keywords: [`AUTH ${mechanism}`], tls: certificate, implicitTls: tls === 'implicit', answer }
    await using mta = await startFakeMta(peer)
    const options = { ...smarthost(mta.port, tls, passwordFile), tls: { ca: [certificate.cert] } }
    await withRelay(1, options, async ({ deliver }) => {
      assert.deepEqual((await deliver()).map(statusOf), ['delivered 250 2.0.0'])
      const secret = mechanism === 'PLAIN' ? '\0letter\0correct horse' : 'correct horse'
      assert.equal(mta.said.includes(Buffer.from(secret).toString('base64')), true)
      assert.equal(mta.messages[0]?.tls, true)
    })
  }
})

test('a smarthost without a valid certificate, or without TLS, never sees the password; mail waits', async () => {
  await using directory = await temporaryDirectory('relay')
  const passwordFile = directory.join('password')
  await writeFile(passwordFile, 'correct horse\n')
  for (const peer of [{ tls: certificate }, { tls: 'broken' as const }, {}]) {
    await using mta = await startFakeMta({ keywords: ['AUTH PLAIN LOGIN'], ...peer })
    await withRelay(1, smarthost(mta.port, 'required', passwordFile), async ({ deliver }) => {
      assert.deepEqual((await deliver()).map(statusOf), ['deferred 451 4.7.5'])
      assert.equal(
        mta.said.some((line) => line.startsWith('AUTH')),
        false,
      )
    })
  }
  assert.throws(
    () => createRelay({ smarthost: { host: 'x', port: 1, tls: 'none', user: 'u', passwordFile } } as never),
    /required/,
  )
  assert.throws(
    () => createRelay({ smarthost: { host: 'x', port: 1, tls: 'required', user: 'u' } } as never),
    /together/,
  )
})

test('a smarthost may share our name, and what it has against us bounces nothing', async () => {
  const near = (port: number) => ({ smarthost: { host: '127.0.0.1', port, tls: 'none' as const } })
  await using same = await startFakeMta({ hostname: 'mx.alpha.test' })
  await withRelay(1, near(same.port), async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['delivered 250 2.0.0'])
    // Mail for another domain goes over the same session.
    await deliver(queuedMail(envelope('anna@alpha.test', ['x@gamma.test'])))
    assert.equal(same.connections, 1)
  })
  await using refusing = await startFakeMta({ greeting: '554 5.7.1 not you' })
  await withRelay(1, near(refusing.port), async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['deferred 451 4.4.1'])
  })
})

test('a message that breaks every conversation does not put off the whole domain', () =>
  withPeer({ answer: (line) => (line === 'DATA' ? 'close' : undefined) }, async ({ deliver }) => {
    const [outcome] = await deliver()
    assert.equal(statusOf(outcome), 'deferred 451 4.4.2')
    assert.equal(outcome?.kind === 'deferred' && outcome.unreachable, undefined)
  }))

test('a smarthost that refuses the login does not bounce mail', async () => {
  await using directory = await temporaryDirectory('relay')
  const passwordFile = directory.join('password')
  await writeFile(passwordFile, 'wrong')
  const answer = (line: string) =>
    line === 'AUTH PLAIN' ? '334 ' : /^[A-Za-z0-9+/=]+$/.test(line) && line.length > 10 ? '535 5.7.8 no' : undefined
  await using mta = await startFakeMta({ keywords: ['AUTH PLAIN'], tls: certificate, answer })
  const options = { ...smarthost(mta.port, 'required', passwordFile), tls: { ca: [certificate.cert] } }
  await withRelay(1, options, async ({ deliver }) => {
    assert.deepEqual((await deliver()).map(statusOf), ['deferred 451 4.7.8'])
  })
})
