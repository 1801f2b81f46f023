/** Certificates by a key of theirs: for signatures of before. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generateKey } from 'openpgp'
import { verifyCertificate } from '#formats/openpgp/certificate.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { createKeyserver } from '#privacy/keyserver/keyserver.ts'
import {
  type DiscoveryLab,
  discoveryLab,
  questionFor,
  spell,
  startLabWeb,
} from '../../../test/support/discovery-lab.ts'
import type { FakeWeb } from '../../../test/support/fake-web.ts'
import { MADE, type MadeKey, madeKey, openPublishedHouse, stored } from '../../../test/support/published.ts'
import { hasKey, pastCertificate } from './key-search.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const DAY = 86_400_000
let web: FakeWeb
const made: Record<'old' | 'new' | 'eve', MadeKey> = {} as never

before(async () => {
  web = await startLabWeb()
  made.old = await madeKey(['Bob <bob@beta.test>', '<bob@elsewhere.test>'])
  made.new = await madeKey(['<bob@beta.test>'])
  made.eve = await madeKey(['<eve@beta.test>'])
})
after(() => web[Symbol.asyncDispose]())

const inLab = async (run: (lab: DiscoveryLab) => Promise<void>) => {
  await using lab = await discoveryLab(web)
  await run(lab)
}
const revoked = ({ certificate, revocation }: MadeKey) => withRevocation(certificate, Buffer.from(revocation))
const keyId = (fingerprint: string) => fingerprint.slice(24)

test('an old certificate, with its revocation, by fingerprint or key id of any of its keys', () =>
  inLab(async ({ discoverer, byAddress, byKey }) => {
    byAddress(BOB, made.new.certificate)
    for (const key of [made.old.fingerprint, made.old.subkey, keyId(made.old.fingerprint), keyId(made.old.subkey)]) {
      byKey('beta.test', key, revoked(made.old))
      const found = await discoverer.certificate(BOB, key)
      assert.equal(spell(found), `${made.old.fingerprint} secure-srv`, key)
      assert.ok(found.kind === 'found' && verifyCertificate(found.certificate, MADE + DAY).revoked)
    }
    assert.equal(spell(await discoverer.discover(BOB)), `${made.new.fingerprint} secure-srv`)
  }))

test('one that has expired by now is given: signatures are judged at their time', () =>
  inLab(async ({ discoverer, byAddress, byKey }) => {
    const { publicKey } = await generateKey({
      userIDs: { email: 'bob@beta.test' },
      date: new Date('2020-01-01'),
      keyExpirationTime: 86_400,
      format: 'object',
    })
    const fingerprint = publicKey.getFingerprint().toUpperCase()
    const expired = Buffer.from(publicKey.write())
    byAddress(BOB, expired)
    byKey('beta.test', fingerprint, expired)
    assert.equal(spell(await discoverer.discover(BOB)), 'unusable')
    assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), `${fingerprint} secure-srv`)
  }))

test('nothing else than what was asked for is taken', () =>
  inLab(async ({ discoverer, byKey }) => {
    const { fingerprint } = made.old
    byKey('beta.test', fingerprint, made.new.certificate)
    assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), 'none', 'another key')
    byKey('beta.test', made.eve.fingerprint, made.eve.certificate)
    assert.equal(spell(await discoverer.certificate(BOB, made.eve.fingerprint)), 'none', 'of another address')
    for (const key of ['', '0x12', fingerprint.toLowerCase(), `${fingerprint}&op=index`, '*'])
      assert.equal(spell(await discoverer.certificate(BOB, key)), 'none', key)
    assert.equal(web.asked.length, 4, 'two forms of the question for each, and none for what is no key')
  }))

test('the second version is asked where the first has nothing, and alone for keys of version 6', () =>
  inLab(async ({ discoverer }) => {
    const { fingerprint } = made.old
    const v6 = 'A'.repeat(64)
    web.pages[`keys.beta.test /pks/v2/certs/by-vfingerprint/04/${fingerprint}`] = { body: made.old.certificate }
    assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), `${fingerprint} secure-srv`)
    web.asked.length = 0
    assert.equal(spell(await discoverer.certificate(BOB, v6)), 'none')
    assert.deepEqual(web.asked, [`keys.beta.test /pks/v2/certs/by-vfingerprint/06/${v6}`])
  }))

test('only a keyserver of signed DNS is asked, and its trouble is trouble', () =>
  inLab(async ({ discoverer, zone, byKey, clock }) => {
    const { fingerprint } = made.old
    const srv = zone['_hkps._tcp.beta.test'] as object
    byKey('beta.test', fingerprint, made.old.certificate)
    for (const [name, expected] of [
      [{ ...srv, secure: false }, 'none'],
      ['bogus', 'temporary'],
      ['temporary', 'temporary'],
    ] as const) {
      zone['_hkps._tcp.beta.test'] = name
      assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), expected)
      await clock.advance(DAY)
    }
    assert.deepEqual(web.asked, [])
    zone['_hkps._tcp.beta.test'] = srv
    byKey('beta.test', fingerprint, { status: 503 })
    assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), 'temporary')
    await clock.advance(60_000)
    byKey('beta.test', fingerprint, made.old.certificate)
    assert.equal(spell(await discoverer.certificate(BOB, fingerprint)), `${fingerprint} secure-srv`)
    assert.equal(spell(await discoverer.certificate({ local: 'bob', domain: '[192.0.2.1]' }, fingerprint)), 'none')
  }))

test('it is kept for a day without asking, for a week whatever fails, and no longer', () =>
  inLab(async ({ discoverer, byKey, clock }) => {
    const { fingerprint } = made.old
    const look = async () => {
      web.asked.length = 0
      return [spell(await discoverer.certificate(BOB, fingerprint)), web.asked.length] as const
    }
    const found = `${fingerprint} secure-srv`
    byKey('beta.test', fingerprint, made.old.certificate)
    assert.deepEqual(await look(), [found, 1])
    await clock.advance(DAY - 1)
    assert.deepEqual(await look(), [found, 0])
    await clock.advance(1)
    byKey('beta.test', fingerprint, { status: 503 })
    assert.deepEqual(await look(), [found, 1])
    assert.deepEqual(await look(), [found, 0])
    await clock.advance(60_000)
    byKey('beta.test', fingerprint, revoked(made.old))
    const again = await discoverer.certificate(BOB, fingerprint)
    assert.ok(again.kind === 'found' && verifyCertificate(again.certificate, clock.now()).revoked, 'renewed')
    byKey('beta.test', fingerprint, { status: 503 })
    await clock.advance(7 * DAY - 1)
    assert.deepEqual(await look(), [found, 1])
    await clock.advance(60_000)
    assert.deepEqual(await look(), ['temporary', 1])
  }))

test('one that gave way is remembered for what it signed, also where no keyserver has it', () =>
  inLab(async ({ discoverer, zone, byAddress, clock }) => {
    byAddress(BOB, made.old.certificate)
    await discoverer.discover(BOB)
    byAddress(BOB, made.new.certificate)
    assert.equal(spell(await discoverer.discover(BOB, { fresh: true })), `${made.new.fingerprint} secure-srv`)
    assert.equal(spell(await discoverer.certificate(BOB, made.old.subkey)), `${made.old.fingerprint} secure-srv`)
    assert.ok(
      web.asked.includes(questionFor('beta.test', `0x${made.old.subkey}`)),
      'its revocation is looked for first',
    )
    delete zone['_hkps._tcp.beta.test']
    await clock.advance(7 * DAY)
    assert.equal(spell(await discoverer.certificate(BOB, made.old.subkey)), 'none')
  }))

test('of our own accounts: what the keyserver of ours gives, whatever became of it', async () => {
  await using house = await openPublishedHouse()
  const { directory } = house
  const [first, second, reading] = [
    await madeKey(['<cy@alpha.test>']),
    await madeKey(['<cy@alpha.test>']),
    await madeKey(['<cy@alpha.test>']),
  ]
  await house.addAccount('cy', first)
  await directory.addAlias({ local: 'cyril', domain: 'alpha.test' }, [{ local: 'cy', domain: 'alpha.test' }])
  await directory.addCertificate('cy', stored(second))
  await directory.addCertificate('cy', stored(reading, 'reading'))
  await directory.revokeCertificate('cy', first.fingerprint, Buffer.from(first.revocation))
  await using lab = await discoveryLab(web, { directory })
  const ask = (local: string, key: string) => lab.discoverer.certificate({ local, domain: 'alpha.test' }, key)

  const old = await ask('cy', keyId(first.subkey))
  assert.equal(spell(old), `${first.fingerprint} local`)
  const published = await createKeyserver({ directory, clock: lab.clock }).byFingerprint(first.fingerprint)
  assert.ok(old.kind === 'found' && published!.octets.equals(old.certificate))
  assert.equal(spell(await ask('cyril', second.fingerprint)), `${second.fingerprint} local`)
  assert.equal(spell(await ask('cy', reading.fingerprint)), 'none')
  assert.equal(spell(await ask('nobody', first.fingerprint)), 'none')
  assert.equal(spell(await ask('cy', `${'0'.repeat(24)}${first.fingerprint.slice(24)}`)), 'none', 'same key id only')
  await directory.setState('cy', 'suspended')
  assert.equal(spell(await ask('cy', first.fingerprint)), `${first.fingerprint} local`)
  assert.deepEqual(web.asked, [])
})

test('what the owner of a key did not sign is neither its address nor its key', async () => {
  const at = MADE + DAY
  assert.ok(pastCertificate(made.old.certificate, BOB, made.old.fingerprint, at))
  assert.ok(pastCertificate(made.old.certificate, { local: 'bob', domain: 'elsewhere.test' }, made.old.subkey, at))
  const tail = made.eve.certificate.subarray(made.eve.certificate.indexOf(Buffer.from('<eve')) - 2)
  const crowded = Buffer.concat([made.old.certificate, tail])
  const eve = { local: 'eve', domain: 'beta.test' }
  assert.equal(pastCertificate(crowded, eve, made.old.fingerprint, at), null)
  assert.equal(pastCertificate(crowded, BOB, made.eve.subkey, at), null)
  assert.ok(hasKey(made.old.certificate, keyId(made.old.subkey)))
  const both = Buffer.concat([made.eve.certificate, made.old.certificate])
  assert.ok(pastCertificate(both, BOB, made.old.fingerprint, at))
  for (const octets of [Buffer.alloc(0), Buffer.from('<html>'), made.old.certificate.subarray(0, 80)])
    assert.equal(pastCertificate(octets, BOB, made.old.fingerprint, at), null)
})
