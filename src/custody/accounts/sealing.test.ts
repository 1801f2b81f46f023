import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { sealingFrom } from './sealing.ts'
import { openDirectory } from './sql-directory.ts'

const certificate = (fingerprint: string, use: 'both' | 'end-to-end', custody: 'held' | 'device') => ({
  fingerprint,
  certificate: Buffer.from(fingerprint),
  since: 1,
  use,
  custody,
})
const told = ({ certificate: rest, device }: { certificate: Uint8Array | null; device: Uint8Array | null }) =>
  [rest, device].map((one) => one && Buffer.from(one).toString())

test('what mail is sealed to is remembered, and never for longer than it is true, whoever changes it', async () => {
  await using folder = await temporaryDirectory('sealing')
  const path = folder.join('directory.db')
  await using directory = await openDirectory(path)
  await using another = await openDirectory(path)
  await directory.addDomain('alpha.test')
  const account = { id: 'a', address: { local: 'a', domain: 'alpha.test' }, state: 'active', created: 1, quota: null }
  await directory.addAccount(account as Parameters<typeof directory.addAccount>[0], null)
  const sealing = sealingFrom(directory)
  assert.deepEqual(told(await sealing('a')), [null, null])
  await directory.addCertificate('a', certificate('AA', 'both', 'held'))
  assert.deepEqual(told(await sealing('a')), ['AA', null])
  assert.equal(await sealing('a'), await sealing('a'))
  await another.addCertificate('a', certificate('DD', 'end-to-end', 'device'))
  assert.deepEqual(told(await sealing('a')), ['AA', 'DD'])
  await another.addCertificate('a', certificate('BB', 'both', 'held'))
  assert.deepEqual(told(await sealing('a')), ['BB', null])
})
