/** The 18 situations: six states that a zone can be in, for each of the records that mail is routed and protected by. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { createResolver, type DnsClient } from '#policy/dns/dns-client.ts'
import { type DnsAnswer, securityOf } from '#policy/dns/resolver.ts'
import { needs } from '../support/needs.ts'
import { type DnssecLab, LAB, startDnssecLab, type ZoneState } from '../support/peers/dnssec.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const RECORDS = `
@ MX 10 mx
mx A 192.0.2.1
_hkps._tcp SRV 0 0 443 keys
_25._tcp.mx TLSA 3 1 1 ${'ab'.repeat(32)}
alias CNAME _hkps._tcp.insecure.${LAB}.
`

const SECURITY: Readonly<Record<ZoneState, string>> = {
  secure: 'secure',
  insecure: 'insecure',
  'bad-signature': 'bogus',
  expired: 'bogus',
  'missing-ds': 'insecure',
  'unsupported-algorithm': 'insecure',
}

const asked: Readonly<Record<string, (resolver: DnsClient, zone: string) => Promise<DnsAnswer<unknown>>>> = {
  SRV: (resolver, zone) => resolver.srv(`_hkps._tcp.${zone}`),
  TLSA: (resolver, zone) => resolver.tlsa(`_25._tcp.mx.${zone}`),
  MX: (resolver, zone) => resolver.mx(zone),
}

describe('DNSSEC by Knot and Unbound', needs('knotd', 'keymgr', 'kzonesign', 'unbound'), () => {
  let directory: TemporaryDirectory
  let lab: DnssecLab
  let resolver: DnsClient
  const open = (server: string, validating = true) =>
    createResolver({ servers: [server], validating, clock: systemClock, timeoutMs: 5000 })

  before(async () => {
    directory = await temporaryDirectory('dnssec')
    const states = Object.keys(SECURITY) as ZoneState[]
    lab = await startDnssecLab(
      directory.path,
      Object.fromEntries(states.map((state) => [state, { state, records: RECORDS }])),
    )
    resolver = open(lab.resolver)
  })
  after(async () => {
    resolver?.[Symbol.dispose]()
    await lab?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  for (const [state, security] of Object.entries(SECURITY)) {
    for (const [type, ask] of Object.entries(asked)) {
      test(`${type} in a zone that is ${state} is ${security}`, async () => {
        const answer = await ask(resolver, `${state}.${LAB}`)
        assert.equal(securityOf(answer), security)
        if (answer.kind !== 'bogus') assert.ok(answer.kind === 'answer' && answer.records.length === 1)
      })
    }
  }

  test('what does not exist is as secure as its zone', async () => {
    for (const [state, security] of Object.entries(SECURITY)) {
      assert.equal(securityOf(await resolver.srv(`nothing.${state}.${LAB}`)), security, state)
      assert.equal(securityOf(await resolver.smimea(`mx.${state}.${LAB}`)), security, state)
    }
  })

  test('an alias from a secure zone into an insecure one is insecure', async () => {
    const answer = await resolver.srv(`alias.secure.${LAB}`)
    assert.ok(answer.kind === 'answer' && answer.records.length === 1)
    assert.equal(answer.secure, false)
  })

  test('AD from a resolver that is not trusted is ignored, and one that does not validate sets none', async () => {
    using careless = open(lab.resolver, false)
    using unchecked = open(lab.authority)
    for (const other of [careless, unchecked]) {
      const answer = await other.srv(`_hkps._tcp.secure.${LAB}`)
      assert.ok(answer.kind === 'answer' && answer.records.length === 1)
      assert.equal(answer.secure, false)
    }
  })
})
