import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { verifyCertificate } from '#formats/openpgp/certificate.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { address } from '../../test/support/fake-mail.ts'
import { madeKey, openPublishedHouse } from '../../test/support/published.ts'
import { zoneText } from './domain-records.ts'
import { keyRecords } from './key-records.ts'

test('the current key of each address of the domain, under its name in lower case', async () => {
  await using house = await openPublishedHouse()
  const { directory } = house
  const ann = await madeKey(['<Ann@alpha.test>', '<office@beta.test>'])
  await house.addAccount('Ann', ann)
  await house.addAccount('keyless', null)
  await directory.addAlias(address('office@beta.test'), [address('Ann@alpha.test')])
  const clock = createFakeClock()
  for (const [domain, local] of [
    ['alpha.test', 'ann'],
    ['beta.test', 'office'],
  ] as const) {
    const [record, ...others] = await keyRecords(domain, directory, clock)
    assert.deepEqual(others, [])
    assert.equal(record!.name, `${openPgpKeyName({ local, domain })}.`)
    const certificate = verifyCertificate(Buffer.from(record!.value, 'base64'), clock.now())
    assert.equal(certificate.fingerprint, ann.fingerprint)
    assert.equal(certificate.userIds.length, 1)
    const line = zoneText([record!]).split('\n').at(-1)
    assert.equal(line, `${record!.name} IN OPENPGPKEY ${record!.value} ; ${record!.why}`)
  }
})
