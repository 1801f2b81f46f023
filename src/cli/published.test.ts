import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { createFakeResolver, type FakeZone } from '../../test/support/fake-resolver.ts'
import type { DnsRecord } from './domain-records.ts'
import { diagnose } from './published.ts'

const HEX = 'ab'.repeat(32)
const make = async () =>
  (await generateKeys({ userId: 'a@alpha.test', algorithm: 'curve25519', created: new Date(0) })).certificate
const [own, another] = [await make(), await make()]
const EXPECTED: Readonly<Record<string, Omit<DnsRecord, 'why'>>> = {
  mx: { name: 'alpha.test.', type: 'MX', value: '10 mail.alpha.test.' },
  a: { name: 'mail.alpha.test.', type: 'A', value: '192.0.2.1' },
  aaaa: { name: 'mail.alpha.test.', type: 'AAAA', value: '2001:DB8:0::1' },
  spf: { name: 'alpha.test.', type: 'TXT', value: '"v=spf1 mx -all"' },
  hkps: { name: '_hkps._tcp.alpha.test.', type: 'SRV', value: '0 1 443 mail.alpha.test.' },
  imaps: { name: '_imaps._tcp.alpha.test.', type: 'SRV', value: '0 1 993 mail.alpha.test.' },
  off: { name: '_imap._tcp.alpha.test.', type: 'SRV', value: '0 0 0 .' },
  tlsa: { name: '_25._tcp.mail.alpha.test.', type: 'TLSA', value: `3 1 1 ${HEX}` },
  key: { name: 'h._openpgpkey.alpha.test.', type: 'OPENPGPKEY', value: own.toString('base64') },
  wkd: { name: 'openpgpkey.alpha.test.', type: 'CNAME', value: 'mail.alpha.test.' },
}
const mx = (exchange: string) => ({ preference: 20, exchange })
const srv = (target: string, port: number) => ({ priority: 5, weight: 6, port, target })
const tlsa = (hex: string) => ({ usage: 3, selector: 1, matching: 1, association: Buffer.from(hex, 'hex') })

const cases: readonly (readonly [keyof typeof EXPECTED, FakeZone, RegExp])[] = [
  ['mx', { 'alpha.test': { mx: [mx('mail.alpha.test')] } }, /^ok as it should be \(insecure\)/],
  [
    'mx',
    { 'alpha.test': { mx: [mx('mail.alpha.test'), mx('x.test')], secure: true } },
    /^note mail also goes to x.test/,
  ],
  ['mx', { 'alpha.test': { mx: [mx('x.test')] } }, /^wrong different: x.test .* publish: alpha.test. IN MX 10 mail/],
  ['mx', {}, /^wrong missing .* publish: alpha.test. IN MX/],
  ['mx', { 'alpha.test': 'bogus' }, /^wrong bogus.* \(bogus\) sign the zone anew/],
  ['mx', { 'alpha.test': 'temporary' }, /^wrong no answer \(no answer in time\) \(temporary\)/],
  ['a', { 'mail.alpha.test': { addresses: ['2001:db8::1', '192.0.2.1'] } }, /^ok/],
  ['a', { 'mail.alpha.test': { addresses: ['192.0.2.2'] } }, /^wrong different: 192.0.2.2/],
  ['aaaa', { 'mail.alpha.test': { addresses: ['2001:db8::1'] } }, /^ok/],
  ['spf', { 'alpha.test': { txt: ['other', 'v=spf1 mx -all'] } }, /^ok/],
  ['spf', { 'alpha.test': { txt: ['v=spf1 a -all'] } }, /^note it says "v=spf1 a -all"/],
  ['spf', { 'alpha.test': { txt: ['v=spf1 mx -all', 'v=spf1 a -all'] } }, /^wrong different: v=spf1 mx -all, v=spf1 a/],
  ['spf', { 'alpha.test': { txt: ['other'] } }, /^wrong missing/],
  ['hkps', { '_hkps._tcp.alpha.test': { srv: [srv('mail.alpha.test', 443)], secure: true } }, /^ok .*\(secure\)/],
  ['hkps', { '_hkps._tcp.alpha.test': { srv: [srv('mail.alpha.test', 443)] } }, /^wrong there, but not .*DS record/],
  ['imaps', { '_imaps._tcp.alpha.test': { srv: [srv('mail.alpha.test', 993)] } }, /^ok/],
  [
    'imaps',
    { '_imaps._tcp.alpha.test': { srv: [srv('mail.alpha.test', 994)] } },
    /^wrong different: mail.alpha.test:994/,
  ],
  ['off', { '_imap._tcp.alpha.test': { srv: [srv('', 0)] } }, /^ok/],
  ['off', {}, /^note missing/],
  ['off', { '_imap._tcp.alpha.test': { srv: [srv('x.test', 143)] } }, /^wrong different: x.test:143/],
  ['tlsa', { '_25._tcp.mail.alpha.test': { tlsa: [tlsa('cd'), tlsa(HEX)], secure: true } }, /^ok/],
  ['tlsa', { '_25._tcp.mail.alpha.test': { tlsa: [tlsa(HEX)] } }, /^wrong there, but not secured by DNSSEC/],
  ['tlsa', { '_25._tcp.mail.alpha.test': { tlsa: [tlsa('cd')], secure: true } }, /^wrong different: 3 1 1 cd/],
  ['key', {}, /^note missing/],
  ['key', { 'h._openpgpkey.alpha.test': { openpgpkey: [own], secure: true } }, /^ok/],
  ['key', { 'h._openpgpkey.alpha.test': { openpgpkey: [own] } }, /^wrong there, but not secured/],
  ['key', { 'h._openpgpkey.alpha.test': { openpgpkey: [another], secure: true } }, /^wrong different: [0-9A-F]{40} /],
  ['key', { 'h._openpgpkey.alpha.test': { openpgpkey: [Buffer.of(1)], secure: true } }, /^wrong different: no cert/],
  ['wkd', {}, /^note missing/],
  [
    'wkd',
    { 'mail.alpha.test': { addresses: ['192.0.2.1'] }, 'openpgpkey.alpha.test': { addresses: ['192.0.2.1'] } },
    /^ok/,
  ],
  [
    'wkd',
    { 'mail.alpha.test': { addresses: ['192.0.2.1'] }, 'openpgpkey.alpha.test': { addresses: ['192.0.2.2'] } },
    /^wrong different: 192.0.2.2/,
  ],
]

for (const [name, zone, expected] of cases) {
  test(`${name}: ${expected.source}`, async () => {
    const found = await diagnose({ ...EXPECTED[name]!, why: '' }, createFakeResolver(zone))
    assert.match(`${found.state} ${found.found} (${found.security}) ${found.fix ?? ''}`, expected)
  })
}
