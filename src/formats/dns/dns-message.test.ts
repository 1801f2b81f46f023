import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type DnsMessage, decodeDns, encodeDns } from './dns-message.ts'
import { ipOctets, ipText } from './ip-text.ts'
import { MalformedDns } from './malformed.ts'
import { labelsOf, readName } from './name.ts'
import type { RecordContent } from './record.ts'

function record<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(shape, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const octets = (maxLength: number) => fc.uint8Array({ maxLength }).map((some) => Buffer.from(some))
const u8 = fc.nat(255)
const u16 = fc.nat(65_535)
const u31 = fc.nat(0x7fffffff)
const label = fc.oneof(
  fc.constantFrom('example', 'test', 'a', 'mail', '_25', '_tcp', 'A'),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((some) => {
    const wire = Buffer.concat([Buffer.from([some.length]), some, Buffer.from([0])])
    return readName(wire, 0).name
  }),
)
const name = fc.array(label, { maxLength: 6 }).map((labels) => labels.join('.'))
const address = (length: 4 | 16) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((some) => ipText(Buffer.from(some)))
const constant = <T extends string>(...types: T[]) => fc.constantFrom(...types)

const content: fc.Arbitrary<RecordContent> = fc.oneof(
  record({ type: constant('A'), address: address(4) }),
  record({ type: constant('AAAA'), address: address(16) }),
  record({ type: constant('NS', 'CNAME', 'PTR', 'DNAME'), target: name }),
  record({ type: constant('MX'), preference: u16, exchange: name }),
  record({ type: constant('TXT'), strings: fc.array(octets(255), { maxLength: 4 }) }),
  record({ type: constant('SRV'), priority: u16, weight: u16, port: u16, target: name }),
  record({ type: constant('TLSA', 'SMIMEA'), usage: u8, selector: u8, matching: u8, association: octets(64) }),
  record({ type: constant('OPENPGPKEY'), certificate: octets(300) }),
  record({ type: constant('CAA'), flags: u8, tag: constant('issue', 'iodef'), value: octets(40) }),
  record({ type: constant('opaque'), number: fc.constantFrom(43, 46, 48, 9999), octets: octets(40) }),
  record({
    type: constant('SOA'),
    primary: name,
    mailbox: name,
    serial: u31,
    refresh: u31,
    retry: u31,
    expire: u31,
    minimum: u31,
  }),
)
const resource = record({ name, class: u16, ttl: u31, content })
const section = fc.array(resource, { maxLength: 4 })
const edns = record({
  udpSize: u16,
  dnssecOk: fc.boolean(),
  version: u8,
  options: fc.array(record({ code: u16, octets: octets(20) }), { maxLength: 3 }),
})
const flag = fc.boolean()
const message: fc.Arbitrary<DnsMessage> = fc
  .tuple(
    record({
      id: u16,
      response: flag,
      opcode: fc.nat(15),
      authoritative: flag,
      truncated: flag,
      recursionDesired: flag,
      recursionAvailable: flag,
      authentic: flag,
      checkingDisabled: flag,
      questions: fc.array(record({ name, type: u16, class: u16 }), { maxLength: 2 }),
      answers: section,
      authority: section,
      additional: section,
      edns: fc.option(edns),
    }),
    fc.nat(4095),
  )
  .map(([fields, rcode]) => ({ ...fields, rcode: fields.edns ? rcode : rcode & 15 }))

describe('DNS messages', () => {
  test('what is written is read', () => {
    fc.assert(fc.property(message, (one) => assert.deepEqual(decodeDns(encodeDns(one)), one)))
  })

  test('any octets are a message or MalformedDns; what was read is written and read again', () => {
    const check = (some: Uint8Array) => {
      let read: DnsMessage
      try {
        read = decodeDns(some)
      } catch (error) {
        assert.ok(error instanceof MalformedDns, String(error))
        return
      }
      assert.deepEqual(decodeDns(encodeDns(read)), read)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check))
    const spoilt = fc
      .tuple(message, fc.array(fc.tuple(fc.nat(), u8), { maxLength: 4 }), fc.nat(3))
      .map(([one, changes, cut]) => {
        const wire = Buffer.from(encodeDns(one))
        for (const [at, octet] of changes) wire[at % wire.length] = octet
        return wire.subarray(0, wire.length - cut)
      })
    fc.assert(fc.property(spoilt, check), { numRuns: 1000 })
  })

  test('a query as it was seen on the wire', () => {
    const query: DnsMessage = {
      id: 0x1234,
      response: false,
      opcode: 0,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      authentic: true,
      checkingDisabled: false,
      rcode: 0,
      questions: [{ name: 'example.com', type: 15, class: 1 }],
      answers: [],
      authority: [],
      additional: [],
      edns: { udpSize: 1232, dnssecOk: true, version: 0, options: [] },
    }
    const wire = '123401200001000000000001076578616d706c6503636f6d00000f000100002904d0000080000000'
    assert.equal(encodeDns(query).toString('hex'), wire)
  })

  test('names are compressed, and pointers cannot loop', () => {
    const twice = encodeDns({
      ...decodeDns(Buffer.from('123401200001000000000000076578616d706c6503636f6d00000f0001', 'hex')),
      answers: [
        { name: 'example.com', class: 1, ttl: 1, content: { type: 'MX', preference: 1, exchange: 'mx.example.com' } },
      ],
    })
    assert.equal(twice.subarray(29).toString('hex'), 'c00c000f000100000001' + '0007' + '0001' + '026d78c00c')
    const loops = ['c00c', '01610161c00c', 'c00e', '0161c00c', 'c0ff', '40']
    for (const loop of loops) {
      const wire = Buffer.from(`123401200001000000000000${loop}000f0001`, 'hex')
      assert.throws(() => decodeDns(wire), MalformedDns, loop)
    }
  })
})

describe('names', () => {
  test('text with escapes', () => {
    const wire = Buffer.from('03612e62055c2000ff7f00', 'hex')
    assert.equal(readName(wire, 0).name, 'a\\.b.\\\\\\032\\000\\255\\127')
    assert.deepEqual(labelsOf('a\\.b.\\\\\\032'), [Buffer.from('a.b'), Buffer.from('\\ ')])
  })

  test('what is no name', () => {
    for (const bad of ['.', 'a..b', 'a.', '.a', 'x'.repeat(64), 'a.'.repeat(130), 'é', 'a\\999', 'a\\'])
      assert.throws(() => labelsOf(bad), MalformedDns, bad)
  })
})

test('IP addresses', () => {
  for (const text of [
    '::',
    '::1',
    '1::',
    '2001:db8::1',
    '2001:db8:0:1:1:1:1:1',
    '1:0:0:2::3',
    'fe80::1:0:0:1',
    '1:2:3:4:5:6:7:8',
  ])
    assert.equal(ipText(ipOctets(text, 6)), text)
  assert.equal(ipText(ipOctets('0:0:1::', 6)), '0:0:1::')
  assert.equal(ipText(ipOctets('::ffff:192.0.2.1', 6)), '::ffff:c000:201')
  assert.equal(ipText(ipOctets('192.0.2.1', 4)), '192.0.2.1')
  for (const [text, family] of [
    ['x', 4],
    ['::1', 4],
    ['1.2.3.4', 6],
    ['fe80::1%eth0', 6],
    ['1::2::3', 6],
    ['1:2:3:4:5:6:7', 6],
    ['1:2:3:4:5:6:7::8', 6],
    ['1:2:3:4:5:6:7:8:9', 6],
    ['12345::', 6],
    ['::1.2.3', 6],
    ['1.2.3.256', 4],
    ['01.2.3.4', 4],
    ['', 6],
  ] as const)
    assert.throws(() => ipOctets(text, family), MalformedDns)
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 1, 255, 0x1234, 0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
      const some = Buffer.alloc(16)
      for (const [at, group] of groups.entries()) some.writeUInt16BE(group, 2 * at)
      assert.deepEqual(ipOctets(ipText(some), 6), some)
    }),
  )
})
