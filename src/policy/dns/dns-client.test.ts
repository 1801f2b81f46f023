import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { type DnsMessage, decodeDns, encodeDns } from '#formats/dns/dns-message.ts'
import type { RecordContent } from '#formats/dns/record.ts'
import { type Clock, systemClock } from '#lib/clock.ts'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { listenOnSamePort } from '../../../test/support/same-port.ts'
import { createResolver, type DnsClientOptions } from './dns-client.ts'
import { isProtected, parseDnsServer } from './dns-server.ts'

type Answering = (query: DnsMessage, over: 'udp' | 'tcp') => DnsMessage | Buffer | null

interface FakeServer extends AsyncDisposable {
  readonly address: string
  readonly queries: DnsMessage[]
}

/** A DNS server on UDP and TCP that answers as told; null says nothing. */
async function serving(answering: Answering): Promise<FakeServer> {
  const queries: DnsMessage[] = []
  const answer = (octets: Buffer, over: 'udp' | 'tcp'): Buffer | null => {
    const query = decodeDns(octets)
    queries.push(query)
    const message = answering(query, over)
    return message === null || Buffer.isBuffer(message) ? message : encodeDns(message)
  }
  const tcp = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.on('data', (octets) => {
      const message = answer(octets.subarray(2), 'tcp')
      if (!message) return
      // In two pieces, as TCP may.
      socket.write(Buffer.from([message.length >> 8, message.length & 255, message[0]!]))
      setImmediate(() => socket.write(message.subarray(1)))
    })
  })
  const udp = createSocket('udp4')
  udp.on('message', (octets, from) => {
    const message = answer(octets, 'udp')
    if (message) udp.send(message, from.port, from.address)
  })
  const port = await listenOnSamePort(tcp, udp, '127.0.0.1')
  return {
    address: `127.0.0.1:${port}`,
    queries,
    async [Symbol.asyncDispose]() {
      udp.close()
      tcp.close()
    },
  }
}

const answers = (query: DnsMessage, more: Partial<DnsMessage> = {}): DnsMessage => ({
  ...query,
  response: true,
  recursionAvailable: true,
  authentic: true,
  edns: null,
  ...more,
})
const record = (name: string, content: RecordContent, ttl = 300) => ({ name, class: 1, ttl, content })
const servfail = (query: DnsMessage) => answers(query, { rcode: 2, authentic: false })

const TIMEOUT = 3000

/** Asks nobody's patience: when it has been asked, the time in which it should have answered is over. */
const silentOn = (clock: FakeClock) =>
  serving(() => {
    void clock.advance(TIMEOUT)
    return null
  })

/** No time passes for it unless the clock is moved. */
function resolverFor(server: FakeServer | readonly FakeServer[], more: Partial<DnsClientOptions> = {}) {
  const servers = [server].flat().map((one) => one.address)
  return createResolver({ servers, validating: true, clock: createFakeClock(), timeoutMs: TIMEOUT, ...more })
}

describe('questions and answers', () => {
  test('asks with AD, DO and a fresh id; reads what comes', async () => {
    await using server = await serving((query) =>
      answers(query, {
        answers: [
          record('EXAMPLE.test', { type: 'MX', preference: 20, exchange: 'B.example.test' }),
          record('example.test', { type: 'MX', preference: 10, exchange: 'a.example.test' }, 60),
          record('other.test', { type: 'MX', preference: 1, exchange: 'evil.test' }),
        ],
      }),
    )
    using resolver = resolverFor(server)
    assert.deepEqual(await resolver.mx('Example.test'), {
      kind: 'answer',
      secure: true,
      ttl: 60,
      records: [
        { preference: 20, exchange: 'b.example.test' },
        { preference: 10, exchange: 'a.example.test' },
      ],
    })
    const [query] = server.queries
    assert.equal(query?.authentic, true)
    assert.equal(query?.edns?.dnssecOk, true)
    assert.equal(query?.checkingDisabled, false)
    assert.equal(query?.questions[0]?.name, 'example.test')
  })

  test('follows aliases that the resolver wrote down, in circles too', async () => {
    await using server = await serving((query) =>
      answers(query, {
        answers: [
          record('a.test', { type: 'CNAME', target: 'b.test' }, 30),
          record('b.test', { type: 'CNAME', target: query.questions[0]?.type === 1 ? 'c.test' : 'a.test' }),
          record('c.test', { type: 'A', address: '192.0.2.1' }),
        ],
      }),
    )
    using resolver = resolverFor(server)
    const answer = await resolver.addresses('a.test')
    assert.deepEqual(answer, { kind: 'answer', secure: true, records: ['192.0.2.1'], ttl: 0 })
  })

  test('every type', async () => {
    const octets = Buffer.from('abc')
    const association = { usage: 3, selector: 1, matching: 1, association: octets }
    const contents: Record<number, RecordContent> = {
      12: { type: 'PTR', target: 'Host.test' },
      16: { type: 'TXT', strings: [Buffer.from('v=spf1 '), Buffer.from('-all é')] },
      28: { type: 'AAAA', address: '2001:db8::1' },
      33: { type: 'SRV', priority: 1, weight: 2, port: 443, target: 'Keys.test' },
      52: { type: 'TLSA', ...association },
      53: { type: 'SMIMEA', ...association },
      61: { type: 'OPENPGPKEY', certificate: octets },
      257: { type: 'CAA', flags: 128, tag: 'Issue', value: Buffer.from('ca.test') },
    }
    await using server = await serving((query) => {
      const { name, type } = query.questions[0]!
      const content = contents[type]
      return answers(query, { answers: content ? [record(name, content)] : [] })
    })
    using resolver = resolverFor(server)
    const records = async (answer: Promise<{ kind: string; records?: readonly unknown[] }>) => (await answer).records
    assert.deepEqual(await records(resolver.txt('x.test')), ['v=spf1 -all é'])
    assert.deepEqual(await records(resolver.addresses('x.test')), ['2001:db8::1'])
    assert.deepEqual(await records(resolver.srv('_hkp._tcp.x.test')), [
      { priority: 1, weight: 2, port: 443, target: 'keys.test' },
    ])
    assert.deepEqual(await records(resolver.tlsa('_25._tcp.x.test')), [association])
    assert.deepEqual(await records(resolver.smimea('h._smimecert.x.test')), [association])
    assert.deepEqual(await records(resolver.openpgpkey('h._openpgpkey.x.test')), [octets])
    assert.deepEqual(await records(resolver.caa('x.test')), [{ critical: true, tag: 'issue', value: 'ca.test' }])
    assert.deepEqual(await records(resolver.ptr('192.0.2.1')), ['host.test'])
    assert.deepEqual(await records(resolver.ptr('2001:db8::1')), ['host.test'])
    assert.deepEqual(
      server.queries.slice(-2).map((query) => query.questions[0]?.name),
      ['1.2.0.192.in-addr.arpa', `1${'.0'.repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`],
    )
  })

  test('the name does not exist, or has no such record', async () => {
    const soa = { primary: 'ns.test', mailbox: 'x.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 120 }
    await using server = await serving((query) =>
      answers(query, {
        rcode: query.questions[0]?.name === 'no.test' ? 3 : 0,
        authority: [record('test', { type: 'SOA', ...soa }, 600)],
      }),
    )
    using resolver = resolverFor(server)
    assert.deepEqual(await resolver.mx('no.test'), { kind: 'nxdomain', secure: true, ttl: 120 })
    assert.deepEqual(await resolver.mx('some.test'), { kind: 'answer', secure: true, records: [], ttl: 120 })
  })

  test('a name that cannot exist is not asked for; an international one is', async () => {
    await using server = await serving((query) => answers(query))
    using resolver = resolverFor(server)
    for (const name of ['', '.', 'a..b', 'x'.repeat(64), 'a.'.repeat(200)])
      assert.deepEqual(await resolver.mx(name), { kind: 'nxdomain', secure: false, ttl: 0 })
    assert.equal(server.queries.length, 0)
    await resolver.mx('bücher.test')
    assert.equal(server.queries[0]?.questions[0]?.name, 'xn--bcher-kva.test')
  })
})

describe('whom it believes', () => {
  test('AD only from a validating server that nobody can speak for', async () => {
    await using server = await serving((query) => answers(query))
    using trusted = resolverFor(server)
    using careless = resolverFor(server, { validating: false })
    const first = await trusted.mx('a.test')
    const second = await careless.mx('a.test')
    assert.ok(first.kind === 'answer' && first.secure)
    assert.ok(second.kind === 'answer' && !second.secure)
    assert.equal(isProtected(parseDnsServer('127.0.0.53')), true)
    assert.equal(isProtected(parseDnsServer('[::1]:5353')), true)
    assert.equal(isProtected(parseDnsServer('192.0.2.53')), false)
    assert.equal(isProtected({ address: '192.0.2.53', port: 853, tls: { name: 'dns.test' } }), true)
  })

  test('addresses are secure only when both answers are, and fail when either fails', async () => {
    const answering = (six: (query: DnsMessage) => DnsMessage) => (query: DnsMessage) =>
      query.questions[0]?.type === 1
        ? answers(query, { answers: [record('a.test', { type: 'A', address: '192.0.2.1' })] })
        : six(query)
    const kindOf = async (six: (query: DnsMessage) => DnsMessage) => {
      await using server = await serving(answering(six))
      using resolver = resolverFor(server)
      const answer = await resolver.addresses('a.test')
      return answer.kind === 'answer' ? (answer.secure ? 'secure' : 'insecure') : answer.kind
    }
    assert.equal(await kindOf((query) => answers(query)), 'secure')
    assert.equal(await kindOf((query) => answers(query, { authentic: false })), 'insecure')
    assert.equal(await kindOf((query) => (query.checkingDisabled ? answers(query) : servfail(query))), 'bogus')
    assert.equal(await kindOf(servfail), 'temporary')
  })

  test('answers to other questions and with other ids are not taken, nor what is no DNS', async () => {
    await using server = await serving((query) => {
      const right = answers(query, { answers: [record('a.test', { type: 'TXT', strings: [Buffer.from('x')] })] })
      const name = query.questions[0]!.name
      if (name === 'id.test') return { ...right, id: right.id ^ 1 }
      if (name === 'question.test') return { ...right, questions: [{ ...query.questions[0]!, name: 'evil.test' }] }
      if (name === 'query.test') return { ...right, response: false }
      if (name === 'none.test') return { ...right, questions: [] }
      return Buffer.from('no DNS')
    })
    // They do come within this time, as a rule; where they do not, nothing is taken either.
    using resolver = resolverFor(server, { clock: systemClock, timeoutMs: 200 })
    const names = ['id.test', 'question.test', 'query.test', 'none.test', 'junk.test']
    const kinds = await Promise.all(names.map(async (name) => (await resolver.txt(name)).kind))
    assert.deepEqual(
      kinds,
      names.map(() => 'temporary'),
    )
  })
})

describe('trouble', () => {
  test('SERVFAIL that goes away with CD is bogus; one that stays, REFUSED and silence are temporary', async () => {
    await using server = await serving((query) => {
      const { name } = query.questions[0]!
      if (name === 'bogus.test') return query.checkingDisabled ? answers(query) : servfail(query)
      if (name === 'refused.test') return answers(query, { rcode: 5 })
      return servfail(query)
    })
    using resolver = resolverFor(server)
    const kinds = ['bogus', 'refused', 'broken'].map(async (name) => (await resolver.mx(`${name}.test`)).kind)
    assert.deepEqual(await Promise.all(kinds), ['bogus', 'temporary', 'temporary'])
    const clock = createFakeClock()
    await using silent = await silentOn(clock)
    using waiting = resolverFor(silent, { clock })
    assert.equal((await waiting.mx('silent.test')).kind, 'temporary')
  })

  test('the next server is asked', async () => {
    await using broken = await serving(servfail)
    const clock = createFakeClock()
    await using silent = await silentOn(clock)
    await using good = await serving((query) => answers(query))
    using resolver = resolverFor([broken, silent, good], { clock })
    assert.equal((await resolver.mx('a.test')).kind, 'answer')
  })

  test('a truncated answer is asked for again over TCP', async () => {
    const strings = Array.from({ length: 100 }, () => Buffer.from('x'.repeat(200)))
    await using server = await serving((query, over) =>
      over === 'udp'
        ? answers(query, { truncated: true })
        : answers(query, { answers: [record('a.test', { type: 'TXT', strings })] }),
    )
    using resolver = resolverFor(server)
    const answer = await resolver.txt('a.test')
    assert.ok(answer.kind === 'answer' && answer.records[0]?.length === 20_000)
  })

  test('closing ends what is under way', async () => {
    await using server = await serving(() => null)
    const resolver = createResolver({ servers: [server.address], validating: true, clock: systemClock })
    const answer = resolver.mx('a.test')
    resolver[Symbol.dispose]()
    assert.equal((await answer).kind, 'temporary')
    assert.equal((await resolver.mx('b.test')).kind, 'temporary')
  })

  test('a server that is written wrongly', () => {
    for (const server of [
      'localhost:53',
      '127.0.0.1:0',
      '127.0.0.1:99999',
      'x',
      ':53',
      '[::1',
      '[::1]x',
      '192.0.2.1#',
      '192.0.2.1#a b',
      '#dns.test',
    ])
      assert.throws(
        () => createResolver({ servers: [server], validating: true, clock: systemClock }),
        /not a DNS server/,
      )
    assert.deepEqual(parseDnsServer('::1'), { address: '::1', port: 53 })
    assert.deepEqual(parseDnsServer('[::1]:54'), { address: '::1', port: 54 })
    assert.deepEqual(parseDnsServer('192.0.2.1:54'), { address: '192.0.2.1', port: 54 })
    const tls = { name: 'dns.test' }
    assert.deepEqual(parseDnsServer('192.0.2.1#dns.test'), { address: '192.0.2.1', port: 853, tls })
    assert.deepEqual(parseDnsServer('[2001:db8::1]:8853#DNS.test'), { address: '2001:db8::1', port: 8853, tls })
  })
})

describe('the cache', () => {
  test('keeps answers for their time, failures never, and not too many', async () => {
    let now = 1_000_000
    const clock: Clock = { ...createFakeClock(), now: () => now }
    await using server = await serving((query) =>
      query.questions[0]?.name === 'fails.test'
        ? servfail(query)
        : answers(query, { answers: [record(query.questions[0]!.name, { type: 'TXT', strings: [] }, 10)] }),
    )
    using resolver = createResolver({
      servers: [server.address],
      validating: true,
      clock,
      cacheSize: 2,
    })
    const ttlOf = async (name: string) => {
      const answer = await resolver.txt(name)
      return 'ttl' in answer ? answer.ttl : answer.kind
    }
    const asked = () => server.queries.splice(0).length
    assert.deepEqual(await Promise.all([ttlOf('a.test'), ttlOf('A.test')]), [10, 10])
    assert.equal(asked(), 1)
    now += 4000
    assert.equal(await ttlOf('a.test'), 6)
    assert.equal(asked(), 0)
    now += 6000
    assert.equal(await ttlOf('a.test'), 10)
    assert.equal(asked(), 1)
    await ttlOf('b.test')
    await ttlOf('c.test')
    asked()
    await ttlOf('a.test')
    assert.equal(asked(), 1)
    assert.equal(await ttlOf('fails.test'), 'temporary')
    const first = asked()
    assert.equal(await ttlOf('fails.test'), 'temporary')
    assert.equal(asked(), first)
  })
})

test('a resolver says beforehand whether anything it answers can be secure', () => {
  const proves = (servers: readonly string[], validating: boolean) => {
    using resolver = createResolver({ servers, validating, clock: systemClock })
    return resolver.proves
  }
  assert.equal(proves(['127.0.0.1'], true), true)
  assert.equal(proves(['192.0.2.1', '[::1]:5353'], true), true)
  assert.equal(proves(['192.0.2.1#dns.alpha.test'], true), true)
  assert.equal(proves(['192.0.2.1'], true), false, 'somebody on the way could say so')
  assert.equal(proves(['127.0.0.1'], false), false)
})
