import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicAddress } from '#lib/public-address.ts'
import type { DnsAnswer, MxRecord } from '#policy/dns/resolver.ts'
import { type NextHops, nextHops } from './next-hops.ts'

const found = <R>(...records: R[]): DnsAnswer<R> => ({ kind: 'answer', secure: false, records, ttl: 60 })
const nxdomain = { kind: 'nxdomain', secure: false, ttl: 60 } as const
const temporary = { kind: 'temporary', why: 'no server' } as const
const bogus = { kind: 'bogus' } as const
const mx = (preference: number, exchange: string): MxRecord => ({ preference, exchange })

interface Zone {
  readonly mx: DnsAnswer<MxRecord>
  readonly addresses?: Readonly<Record<string, DnsAnswer<string>>>
  readonly allowPrivate?: boolean
}

function route(domain: string, zone: Zone): Promise<NextHops> {
  const resolver = {
    mx: async () => zone.mx,
    addresses: async (host: string) => zone.addresses?.[host] ?? nxdomain,
    txt: async () => nxdomain,
  }
  return nextHops(domain, { resolver, hostname: 'us.test', port: 25, allowPrivate: zone.allowPrivate ?? false })
}

const spell = (routed: NextHops) =>
  routed.kind === 'hops'
    ? routed.hops.map(({ host, ip }) => `${host} ${ip}`)
    : `${routed.kind} ${routed.why.code} ${routed.why.enhanced}`

const A = found('198.51.99.1')

test('hosts come by preference, with all their addresses', async () => {
  const addresses = { a: found('9.9.9.1', '2620:fe::1'), b: found('9.9.9.2') }
  assert.deepEqual(spell(await route('x.test', { mx: found(mx(20, 'b'), mx(10, 'a')), addresses })), [
    'a 9.9.9.1',
    'a 2620:fe::1',
    'b 9.9.9.2',
  ])
})

test('equal preferences come in any order', async () => {
  const addresses = { a: found('9.9.9.1'), b: found('9.9.9.2') }
  const first = new Set<string>()
  for (let at = 0; at < 200 && first.size < 2; at++) {
    const routed = spell(await route('x.test', { mx: found(mx(10, 'a'), mx(10, 'b')), addresses }))
    first.add(routed[0]!)
  }
  assert.equal(first.size, 2)
})

test('without MX records the domain is its own host; with unusable ones it is not', async () => {
  assert.deepEqual(spell(await route('x.test', { mx: found(), addresses: { 'x.test': A } })), ['x.test 198.51.99.1'])
  assert.equal(
    spell(await route('x.test', { mx: found(mx(1, 'gone')), addresses: { 'x.test': A } })),
    'failed 550 5.4.4',
  )
  assert.equal(spell(await route('x.test', { mx: found() })), 'failed 550 5.4.4')
  assert.equal(spell(await route('x.test', { mx: nxdomain, addresses: { 'x.test': A } })), 'failed 550 5.1.2')
})

test('a null MX takes no mail; beside others it means nothing', async () => {
  assert.equal(spell(await route('x.test', { mx: found(mx(0, '')) })), 'failed 556 5.1.10')
  assert.deepEqual(spell(await route('x.test', { mx: found(mx(0, ''), mx(5, 'a')), addresses: { a: A } })), [
    'a 198.51.99.1',
  ])
})

test('what DNS cannot say now is tried later, never taken for "no record"', async () => {
  assert.equal(spell(await route('x.test', { mx: temporary })), 'deferred 451 4.4.3')
  assert.equal(spell(await route('x.test', { mx: bogus, addresses: { 'x.test': A } })), 'deferred 451 4.4.3')
  assert.equal(
    spell(await route('x.test', { mx: found(mx(1, 'a')), addresses: { a: temporary } })),
    'deferred 451 4.4.3',
  )
  assert.equal(spell(await route('x.test', { mx: found(mx(1, 'a')), addresses: { a: bogus } })), 'deferred 451 4.4.3')
  assert.deepEqual(spell(await route('x.test', { mx: found(mx(1, 'a'), mx(2, 'b')), addresses: { a: bogus, b: A } })), [
    'b 198.51.99.1',
  ])
})

test('hosts at and behind our own preference are no way on', async () => {
  const addresses = { 'us.test': A, front: A, back: A }
  const zone = found(mx(10, 'us.test'), mx(5, 'front'), mx(20, 'back'))
  assert.deepEqual(spell(await route('x.test', { mx: zone, addresses })), ['front 198.51.99.1'])
  assert.equal(spell(await route('x.test', { mx: found(mx(10, 'us.test')), addresses })), 'failed 554 5.4.6')
})

test('records of strangers do not lead into our own network', async () => {
  const addresses = { a: found('127.0.0.1', '10.1.2.3', '::1', 'fe80::1', '::ffff:192.168.1.1') }
  assert.equal(spell(await route('x.test', { mx: found(mx(1, 'a')), addresses })), 'failed 550 5.4.4')
  assert.equal(spell(await route('[127.0.0.1]', { mx: nxdomain })), 'failed 550 5.4.4')
  assert.deepEqual(spell(await route('[IPv6:2620:fe::1]', { mx: nxdomain })), ['[IPv6:2620:fe::1] 2620:fe::1'])
  assert.deepEqual(spell(await route('[127.0.0.1]', { mx: nxdomain, allowPrivate: true })), ['[127.0.0.1] 127.0.0.1'])
  for (const ip of ['9.9.9.9', '2620:fe::fe', '172.15.0.1']) assert.equal(isPublicAddress(ip), true, ip)
  for (const ip of ['0.0.0.0', '172.16.0.1', '169.254.1.1', '::', 'fc00::1', 'ff02::1', 'no', '255.255.255.255']) {
    assert.equal(isPublicAddress(ip), false, ip)
  }
})

test('a domain with very many hosts costs a bounded number of tries', async () => {
  const hosts = Array.from({ length: 500 }, (_, at) => mx(at, 'a'))
  const routed = await route('x.test', {
    mx: found(...hosts),
    addresses: { a: found(...Array.from({ length: 90 }, (_, at) => `9.9.9.${at + 1}`)) },
  })
  assert.equal(routed.kind === 'hops' && routed.hops.length, 10)
})
