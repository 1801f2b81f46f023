import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Discoverer } from '#privacy/discovery/discovery.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { madeKey, openPublishedHouse, stored } from '../../../test/support/published.ts'
import { createAids } from './aids.ts'
import { createUnsealingAid, withAid } from './unsealing-aid.ts'

const clock = createFakeClock()
const keyId = (fingerprint: string) => fingerprint.slice(24)

test('its own are the certificates whose secret is here, old ones among them', async () => {
  await using house = await openPublishedHouse()
  const [first, second, device] = [
    await madeKey(['<cy@alpha.test>']),
    await madeKey(['<cy@alpha.test>']),
    await madeKey(['<cy@alpha.test>']),
  ]
  await house.addAccount('cy', first)
  await house.directory.addCertificate('cy', stored(second))
  await house.directory.revokeCertificate('cy', first.fingerprint, Buffer.from(first.revocation))
  await house.directory.addCertificate('cy', { ...stored(device, 'end-to-end'), custody: 'device' })
  const { directory } = house
  const signers = async () => ({ certificates: [], trouble: null })
  const aid = createUnsealingAid({ account: 'cy', directory, signers, scan: null, authservId: 'mx.alpha.test', clock })
  const { certificates, keys } = await aid.own()
  assert.deepEqual(new Set(certificates), new Set([first.fingerprint, second.fingerprint]))
  const all = [first, second].flatMap((one) => [one.fingerprint, one.subkey])
  assert.deepEqual(new Set(keys), new Set([...all, ...all.map(keyId)]))
  assert.equal(await aid.scan(Buffer.from('x')), 'unscanned')
  assert.deepEqual([aid.authservId, aid.now()], ['mx.alpha.test', clock.now()])
  const nobody = createUnsealingAid({ account: 'x', directory, signers, scan: null, authservId: '', clock })
  assert.deepEqual(await nobody.own(), { certificates: [], keys: [] })
})

test('the aids of all accounts ask one discoverer and one scanner, each for its own account', async () => {
  const asked: unknown[] = []
  const made = { discoverers: 0, scanners: 0 }
  const discoverer = {
    discover: async (_: unknown, { account }: { account: string }) => {
      asked.push(account)
      return { kind: 'none', steps: [] }
    },
  } as unknown as Discoverer
  const aids = createAids({
    directory: { certificates: async () => [] },
    discovery: {
      discoverer: async () => {
        made.discoverers++
        return discoverer
      },
    },
    scanner: async () => {
      made.scanners++
      return { scan: async (message) => (message.length > 1 ? 'junk' : 'clean') }
    },
    authservId: 'mx.alpha.test',
    clock,
  })
  const [ann, carol] = [aids('ann'), aids('carol')]
  assert.deepEqual(made, { discoverers: 0, scanners: 0 })
  await ann.signers('bob@beta.test', [])
  await carol.signers('bob@beta.test', [])
  assert.deepEqual(asked, ['ann', 'carol'])
  assert.deepEqual([await ann.scan(Buffer.from('x')), await carol.scan(Buffer.from('xx'))], ['clean', 'junk'])
})

test('keys with an aid open the same', async () => {
  const aid = createUnsealingAid({
    account: 'ann',
    directory: { certificates: async () => [] },
    signers: async () => ({ certificates: [], trouble: null }),
    scan: null,
    authservId: 'mx.alpha.test',
    clock,
  })
  const index = Buffer.alloc(32, 1)
  const keys = { sessionKeys: async (pkesks: readonly Uint8Array[]) => pkesks, indexKey: async () => index }
  const aided = withAid(keys, aid)
  assert.equal(aided.aid, aid)
  assert.equal(await aided.indexKey(), index)
  assert.deepEqual(await aided.sessionKeys([index]), [index])
  assert.deepEqual(await aided.olderIndexKeys?.(), [])
  const older = withAid({ ...keys, olderIndexKeys: async () => [index] }, aid)
  assert.deepEqual(await older.olderIndexKeys?.(), [index])
})
