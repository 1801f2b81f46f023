import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import type { AuditRecord } from '../audit/audit-log.ts'
import { consentsOf, consentVersion, recordConsent } from './consents.ts'
import { AccountKeysDamaged } from './keyring.ts'

const bench = await keyringBench()
after(() => bench[Symbol.asyncDispose]())

const recorded: AuditRecord[] = []
const desk = {
  dataDir: bench.folder.path,
  directory: bench.directory,
  audit: { record: async (entry: AuditRecord) => void recorded.push(entry) },
  clock: systemClock,
}
const pathOf = (account: string, name: string) => bench.folder.join('accounts', account, 'consents', name)

test('a consent is signed, audited, numbered and shows who signed it; a withdrawal stands beside it', async () => {
  const { certificate } = await bench.account('c1')
  assert.deepEqual(await consentsOf(desk, 'c1'), [])
  await using keys = await bench.keyring.unlock('c1', Buffer.from(PASSWORD), { use: 'owner' })
  const wish = { subject: 'escrow', text: 'Ihr dürft das.\n', label: 'edition 2' } as const
  const given = await recordConsent(desk, keys!, { ...wish, decision: 'given' })
  await recordConsent(desk, keys!, { ...wish, decision: 'withdrawn' })
  const [first, second] = await consentsOf(desk, 'c1')
  assert.deepEqual(first, { ...given, number: 1, signedBy: certificate.fingerprint })
  assert.equal(second!.number, 2)
  assert.equal(second!.decision, 'withdrawn')
  assert.equal(first!.version, consentVersion(wish.text, wish.label))
  assert.match(first!.version, /^[0-9a-f]{12} edition 2$/)
  assert.equal(first!.address, 'c1@alpha.test')
  assert.deepEqual(
    recorded.map(({ event, detail }) => [event, detail['subject'], detail['hash']]),
    [
      ['consent.given', 'escrow', given.hash],
      ['consent.withdrawn', 'escrow', given.hash],
    ],
  )
})

test('one that was changed, or stems from another account, has no signature; one that is damaged is named', async () => {
  await bench.account('c2')
  await bench.account('c3')
  {
    await using keys = await bench.keyring.unlock('c2', Buffer.from(PASSWORD), { use: 'owner' })
    await recordConsent(desk, keys!, { subject: 'keys', decision: 'given', text: 'yes to this', label: '' })
    await using theirs = await bench.keyring.unlock('c3', Buffer.from(PASSWORD), { use: 'owner' })
    await recordConsent(desk, theirs!, { subject: 'keys', decision: 'given', text: 'yes to that', label: '' })
  }
  const path = pathOf('c2', '0001.json')
  const good = await readFile(path, 'utf8')
  await writeFile(path, good.replace('yes to this', 'yes to all'))
  assert.equal((await consentsOf(desk, 'c2'))[0]!.signedBy, null)
  await writeFile(path, await readFile(pathOf('c3', '0001.json')))
  assert.equal((await consentsOf(desk, 'c2'))[0]!.signedBy, null)
  await writeFile(path, good)
  await writeFile(pathOf('c2', '0003.json'), good)
  assert.equal((await consentsOf(desk, 'c2'))[1]!.signedBy, null, 'an old one behind those that came later')
  await writeFile(path, good.slice(0, 50))
  await assert.rejects(consentsOf(desk, 'c2'), AccountKeysDamaged)
  await writeFile(path, good)
  assert.ok((await consentsOf(desk, 'c2'))[0]!.signedBy)
})

test('what cannot be audited is not recorded', async () => {
  await bench.account('c4')
  await using keys = await bench.keyring.unlock('c4', Buffer.from(PASSWORD), { use: 'owner' })
  const broken = { ...desk, audit: { record: () => Promise.reject(new Error('disk full')) } }
  const wish = { subject: 'keys', decision: 'given', text: 'x', label: '' } as const
  await assert.rejects(recordConsent(broken, keys!, wish), /disk full/)
  assert.deepEqual(await consentsOf(desk, 'c4'), [])
})
