import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Directory } from '#custody/accounts/directory.ts'
import { wkdHash } from '#formats/hkp/names.ts'
import { verifyCertificate } from '#formats/openpgp/certificate.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { address } from '../../../test/support/fake-mail.ts'
import { MADE, madeKey, openPublishedHouse, stored } from '../../../test/support/published.ts'
import { createKeyserver } from './keyserver.ts'
import { keyIdOf, type Publication } from './publication.ts'

const clock = createFakeClock()
const house = await openPublishedHouse()
after(() => house[Symbol.asyncDispose]())
const { directory } = house
const keyserver = createKeyserver({ directory, clock })

const named = async (text: string) => (await keyserver.byAddress(address(text)))?.entry.fingerprint ?? null
const userIdsOf = (one: Publication | null) => one?.entry.userIds ?? null

test('by address: the current certificate, with the one user id that was asked for', async () => {
  const ann = await madeKey(['Ann <ann@alpha.test>', '<office@beta.test>', '<ann@elsewhere.test>'])
  await house.addAccount('ann', ann)
  await directory.addAlias(address('office@beta.test'), [address('ann@alpha.test')])
  await directory.addAlias(address('unnamed@beta.test'), [address('ann@alpha.test')])
  await directory.addAlias(address('all@beta.test'), [address('ann@alpha.test'), address('other@elsewhere.test')])

  const found = await keyserver.byAddress(address('Ann@Alpha.Test'))
  assert.deepEqual(userIdsOf(found), ['Ann <ann@alpha.test>'])
  assert.equal(verifyCertificate(found!.octets, clock.now()).fingerprint, ann.fingerprint)
  assert.equal(verifyCertificate(found!.octets, clock.now()).encryptionKeys.length, 1)
  assert.deepEqual(userIdsOf(await keyserver.byAddress(address('office@beta.test'))), ['<office@beta.test>'])
  for (const other of [
    'ann+detail@alpha.test',
    'unnamed@beta.test',
    'all@beta.test',
    'ann@elsewhere.test',
    'ann@beta.test',
    'postmaster@alpha.test',
    'nobody@alpha.test',
  ])
    assert.equal(await named(other), null, other)
})

test('by fingerprint or key id: with the addresses of the account and no others', async () => {
  const bob = await madeKey(['Bob <bob@alpha.test>', '<bob@elsewhere.test>'])
  await house.addAccount('bob', bob)
  for (const fingerprint of [bob.fingerprint, bob.subkey]) {
    assert.deepEqual(userIdsOf(await keyserver.byFingerprint(fingerprint)), ['Bob <bob@alpha.test>'])
    const byId = await keyserver.byKeyId(keyIdOf(fingerprint))
    assert.deepEqual(
      byId.map(({ entry }) => entry.fingerprint),
      [bob.fingerprint],
    )
  }
  assert.equal(await keyserver.byFingerprint(`${'0'.repeat(24)}${bob.fingerprint.slice(24)}`), null, 'same key id only')
  assert.deepEqual(await keyserver.byKeyId('0123456789ABCDEF'), [])
})

test('a rotation: the new one by address at once, the old one revoked by fingerprint', async () => {
  const [first, second] = [await madeKey(['<cy@alpha.test>']), await madeKey(['<cy@alpha.test>'])]
  await house.addAccount('cy', first)
  assert.equal(await named('cy@alpha.test'), first.fingerprint)
  await directory.addCertificate('cy', stored(second))
  assert.equal(await named('cy@alpha.test'), second.fingerprint)
  assert.equal((await keyserver.byFingerprint(first.fingerprint))?.entry.revoked, false)
  await directory.revokeCertificate('cy', first.fingerprint, Buffer.from(first.revocation))
  const old = await keyserver.byFingerprint(first.subkey)
  assert.equal(old?.entry.revoked, true)
  assert.equal(verifyCertificate(old!.octets, clock.now()).revoked, true)
  assert.equal(await named('cy@alpha.test'), second.fingerprint)

  await directory.revokeCertificate('cy', second.fingerprint, Buffer.from(second.revocation))
  assert.equal(await named('cy@alpha.test'), null, 'nothing to write to')
  assert.equal((await keyserver.byFingerprint(second.fingerprint))?.entry.revoked, true)
})

test('different keys for rest and end to end: others get the one that is theirs to use', async () => {
  const [rest, open, reading] = [
    await madeKey(['<dee@alpha.test>']),
    await madeKey(['<dee@alpha.test>']),
    await madeKey(['<dee@alpha.test>']),
  ]
  await house.addAccount('dee', rest)
  await directory.useCertificate('dee', rest.fingerprint, 'rest')
  assert.equal(await named('dee@alpha.test'), null)
  await directory.addCertificate('dee', { ...stored(open, 'end-to-end'), custody: 'device' })
  await directory.addCertificate('dee', stored(reading, 'reading'))
  assert.equal(await named('dee@alpha.test'), open.fingerprint)
  assert.equal((await keyserver.byFingerprint(rest.fingerprint))?.entry.fingerprint, rest.fingerprint)
  assert.equal(await keyserver.byFingerprint(reading.fingerprint), null, 'brought to read old mail, never published')
})

test('suspended accounts by fingerprint only, removed ones not at all', async () => {
  const eve = await madeKey(['<eve@alpha.test>'])
  await house.addAccount('eve', eve)
  assert.equal(await named('eve@alpha.test'), eve.fingerprint)
  await directory.setState('eve', 'suspended')
  assert.equal(await named('eve@alpha.test'), null)
  assert.notEqual(await keyserver.byFingerprint(eve.fingerprint), null)
  await directory.removeAccount('eve')
  assert.equal(await keyserver.byFingerprint(eve.fingerprint), null)
  await house.addAccount('eve2', null)
  assert.equal(await named('eve2@alpha.test'), null, 'no key yet')
})

test('what its owner did not sign is not published', async () => {
  const [fay, stranger] = [await madeKey(['<fay@alpha.test>']), await madeKey(['<stranger@beta.test>'])]
  // Somebody else's user id and subkey behind our own packets, as a careless import would leave them.
  const tail = stranger.certificate.subarray(stranger.certificate.indexOf(Buffer.from('<stranger')) - 2)
  const crowded = { ...fay, certificate: Buffer.concat([fay.certificate, tail]) }
  await house.addAccount('fay', crowded)
  const found = await keyserver.byFingerprint(fay.fingerprint)
  assert.deepEqual(userIdsOf(found), ['<fay@alpha.test>'])
  assert.ok(found!.octets.length <= fay.certificate.length)
  assert.equal(await keyserver.byFingerprint(stranger.subkey), null)
})

test('the address behind a hash, for clients that send nothing else', async () => {
  await house.addAccount('gil', await madeKey(['<gil@alpha.test>']))
  assert.deepEqual(await keyserver.addressOfHash('ALPHA.test', wkdHash('gil')), address('gil@alpha.test'))
  assert.equal(await keyserver.addressOfHash('beta.test', wkdHash('gil')), null)
  assert.equal(await keyserver.isOurs('Alpha.Test'), true)
  assert.equal(await keyserver.isOurs('elsewhere.test'), false)
})

test('an index that takes long to make is not made again and again', async () => {
  let [made, now] = [0, MADE]
  const slow: Directory = new Proxy(directory, {
    get: (target, name) => {
      if (name === 'accounts') {
        made++
        now += 1000
      }
      const member = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const busy = createKeyserver({ directory: slow, clock: { ...clock, now: () => now } })
  const missing = () => busy.byKeyId('0123456789ABCDEF')
  await missing()
  await missing()
  assert.equal(made, 1, 'nothing was changed')
  await directory.setQuota('gil', 1)
  await missing()
  assert.equal(made, 1, 'too soon')
  now += 10_000
  await Promise.all([missing(), missing()])
  assert.equal(made, 2)
})
