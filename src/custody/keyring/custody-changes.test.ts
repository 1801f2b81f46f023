import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { sealingOf } from '#custody/accounts/sealing.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { makeRevocation } from '#formats/openpgp/revocation.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { addressOf, keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import type { AuditRecord } from '../audit/audit-log.ts'
import { AccountKeysDamaged, KeyRefused } from './keyring.ts'

const audited: AuditRecord[] = []
const bench = await keyringBench({ audit: { record: async (entry) => void audited.push(entry) } })
const { keyring, directory } = bench
after(() => bench[Symbol.asyncDispose]())

const owner = () => ({ password: Buffer.from(PASSWORD) })
const wishOf = (account: string) => ({ userIds: [`<${account}@alpha.test>`], algorithm: 'curve25519' }) as const
const addressesOf = (account: string) => [`${account}@alpha.test`]
const newKey = (account: string) =>
  generateKeys({ userId: `<${account}@alpha.test>`, algorithm: 'curve25519', created: new Date(Date.now() - 60_000) })

type Use = 'both' | 'end-to-end' | 'reading'

const importing = async (account: string, use: Use, tsk?: Uint8Array, keepsOld = false) =>
  keyring.importKey(account, owner(), {
    tsk: Buffer.from(tsk ?? (await newKey(account)).secret),
    keyPassphrase: null,
    use,
    addsSubkey: false,
    addresses: addressesOf(account),
    keepsOld,
  })
const toDevice = async (account: string, certificate?: Uint8Array) =>
  keyring.useDeviceCertificate(
    account,
    owner(),
    certificate ?? (await newKey(account)).certificate,
    addressesOf(account),
  )

const pkeskTo = (certificate: Uint8Array) =>
  splitMessage(seal(parseCertificate(certificate).encryptionKeys, Buffer.from('x')).message).pkesks[0]!

async function opened(account: string, mail: readonly Uint8Array[]): Promise<readonly boolean[]> {
  await using keys = await keyring.unlock(account, Buffer.from(PASSWORD))
  assert.ok(keys)
  return (await keys.sessionKeys(mail)).map((one) => one !== null)
}

const refusedFor = (code: string) => (error: unknown) => {
  assert.ok(error instanceof KeyRefused, String(error))
  assert.deepEqual(
    error.reasons.map((one) => one.code),
    [code],
  )
  return true
}

const certificateOf = async (account: string, fingerprint: string) =>
  (await directory.certificates(account)).find((one) => one.fingerprint === fingerprint)!

const MOVES = {
  rotate: (account: string) => keyring.rotateKey(account, owner(), wishOf(account)),
  'rotate end to end': (account: string) =>
    keyring.rotateKey(account, owner(), { ...wishOf(account), renews: 'end-to-end' }).catch((error) => {
      if (!(error instanceof KeyRefused)) throw error
    }),
  own: (account: string) => importing(account, 'both'),
  'own, end to end': (account: string) => importing(account, 'end-to-end'),
  device: (account: string) => toDevice(account),
  managed: (account: string) => keyring.useManaged(account, owner(), wishOf(account)),
  'reset and relink': async (account: string) => {
    await keyring.reset(account, addressOf(account), Buffer.from(PASSWORD), 'curve25519')
    await keyring.relink(account, owner(), Buffer.from(PASSWORD))
  },
} as const

test('whatever moves an owner makes, all that was ever sealed at rest or to a held key opens', async () => {
  let runs = 0
  const moves = fc.array(fc.constantFrom(...(Object.keys(MOVES) as (keyof typeof MOVES)[])), {
    minLength: 1,
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(moves, async (names) => {
      const account = `moves${runs++}`
      await bench.account(account)
      const mail: Uint8Array[] = []
      const receive = async () => {
        const { certificate, device } = await sealingOf(directory, account)
        const others = (await directory.certificates(account)).find((one) => one.endToEnd)!
        mail.push(pkeskTo(certificate!))
        if (device) assert.deepEqual(await opened(account, [pkeskTo(device)]), [false], 'only the device opens it')
        else mail.push(pkeskTo(others.certificate))
      }
      await receive()
      for (const name of names) {
        await MOVES[name](account)
        await receive()
      }
      assert.ok((await opened(account, mail)).every(Boolean))
      const { current, endToEnd } = await keyring.custody(account)
      const listed = await directory.certificates(account)
      assert.equal(listed.find((one) => one.current)?.fingerprint, current)
      assert.equal(listed.find((one) => one.endToEnd)?.fingerprint, endToEnd)
    }),
    { numRuns: 6 },
  )
})

test('a rotation retires the managed key with a revocation, and never a key of its owner', async () => {
  const { certificate } = await bench.account('r1')
  const rotated = await keyring.rotateKey('r1', owner(), wishOf('r1'))
  assert.deepEqual(rotated!.retired, [certificate.fingerprint])
  assert.ok((await certificateOf('r1', certificate.fingerprint)).revocation)
  const own = await importing('r1', 'both', undefined, true)
  assert.deepEqual(own!.retired, [])
  assert.equal((await keyring.custody('r1')).mode, 'own')
  const again = await keyring.rotateKey('r1', owner(), wishOf('r1'))
  assert.deepEqual(again!.retired, [])
  assert.equal((await certificateOf('r1', own!.fingerprint)).revocation, undefined)
  assert.deepEqual(
    audited.filter(({ account }) => account === 'r1').map(({ event }) => event),
    ['key.rotated', 'key.imported', 'key.rotated'],
  )
})

test('wrong passwords change nothing, and every secret is wiped', async () => {
  await bench.account('w1')
  const before = await directory.certificates('w1')
  const wrong = () => ({ password: Buffer.from('wrong password') })
  const { secret, certificate } = await newKey('w1')
  const used = [wrong(), wrong(), wrong(), wrong(), wrong()]
  const wish = { tsk: secret, keyPassphrase: Buffer.from('passphrase'), use: 'both', addsSubkey: false } as const
  assert.equal(await keyring.rotateKey('w1', used[0]!, wishOf('w1')), null)
  assert.equal(await keyring.importKey('w1', used[1]!, { ...wish, addresses: addressesOf('w1') }), null)
  assert.equal(await keyring.useDeviceCertificate('w1', used[2]!, certificate, addressesOf('w1')), null)
  const { fingerprint } = before[0]!
  assert.equal(await keyring.revokeKey('w1', used[3]!, { fingerprint, reason: 2, text: '', isForced: true }), null)
  assert.equal((await keyring.useManaged('w1', used[4]!, wishOf('w1')))!.made, null, 'there was nothing to do')
  for (const octets of [...used.map(({ password }) => password), secret, wish.keyPassphrase])
    assert.ok(octets.every((octet) => octet === 0))
  assert.deepEqual(await directory.certificates('w1'), before)
})

test('what cannot be done is refused with its reason', async () => {
  await bench.account('f1')
  await keyring.createWithoutKey('f2', Buffer.from(PASSWORD))
  await directory.addAccount({ id: 'f2', address: addressOf('f2'), state: 'active', created: 1, quota: null }, null)
  await assert.rejects(keyring.generateKey('f1', owner(), wishOf('f1')), refusedFor('has-key'))
  await assert.rejects(keyring.rotateKey('f2', owner(), wishOf('f2')), refusedFor('no-key'))
  await assert.rejects(toDevice('f2'), refusedFor('no-key'))
  await assert.rejects(importing('f2', 'end-to-end'), refusedFor('no-key'))
  assert.ok(await keyring.generateKey('f2', owner(), wishOf('f2')))
  const own = await newKey('f1')
  await assert.rejects(importing('f1', 'both', (await newKey('f2')).secret), refusedFor('no-address'))
  await importing('f1', 'reading', own.secret)
  await assert.rejects(toDevice('f1', own.certificate), refusedFor('held'))
  await toDevice('f1')
  await assert.rejects(
    keyring.rotateKey('f1', owner(), { ...wishOf('f1'), renews: 'end-to-end' }),
    refusedFor('on-device'),
  )
})

test('the secret of a device comes to the server when its owner wants that', async () => {
  await bench.account('d1')
  const { secret, certificate } = await newKey('d1')
  await toDevice('d1', certificate)
  const mail = [pkeskTo(certificate)]
  assert.deepEqual(await opened('d1', mail), [false])
  await importing('d1', 'end-to-end', secret)
  assert.equal((await keyring.custody('d1')).mode, 'own')
  assert.equal((await sealingOf(directory, 'd1')).device, null)
  assert.deepEqual(await opened('d1', mail), [true])
})

test('a certificate in use is revoked when that is meant; mail is still sealed', async () => {
  const { certificate } = await bench.account('v1')
  const { fingerprint } = certificate
  const wish = { fingerprint, reason: 2, text: 'stolen' } as const
  await assert.rejects(keyring.revokeKey('v1', owner(), wish), refusedFor('in-use'))
  assert.deepEqual(await keyring.revokeKey('v1', owner(), { ...wish, isForced: true }), { wasInUse: true })
  await assert.rejects(keyring.revokeKey('v1', owner(), { ...wish, isForced: true }), refusedFor('revoked'))
  const sealing = await sealingOf(directory, 'v1')
  assert.deepEqual(await opened('v1', [pkeskTo(sealing.certificate!)]), [true])
  const back = await keyring.useManaged('v1', owner(), wishOf('v1'))
  assert.ok(back!.made, 'a revoked key does not count')
})

test('a revocation is taken from whoever has the key, for any certificate of the account, and from nobody else', async () => {
  await bench.account('u1')
  const { secret, certificate } = await newKey('u1')
  const device = await toDevice('u1', certificate)
  using keys = openSecretKeys(secret)
  const revocation = Buffer.from(makeRevocation(keys, { created: Date.now() - 1000, reason: 0, text: '' }))
  using strange = openSecretKeys((await newKey('u1')).secret)
  const foreign = Buffer.from(makeRevocation(strange, { created: Date.now() - 1000, reason: 0, text: '' }))
  assert.equal(await keyring.uploadRevocation('u1', foreign), null)
  assert.equal(await keyring.uploadRevocation('u1', Buffer.from('hello')), null)
  const { fingerprint } = device!
  const uploaded = { fingerprint, isInUse: true }
  assert.deepEqual(await keyring.uploadRevocation('u1', revocation), { ...uploaded, wasRevoked: false })
  assert.deepEqual(await keyring.uploadRevocation('u1', revocation), { ...uploaded, wasRevoked: true })
  await assert.rejects(importing('u1', 'both', secret), refusedFor('revoked'))
})

test('a directory that gives out another certificate than its owner chose is refused', async () => {
  await bench.account('x1')
  const strange = await newKey('x1')
  const { fingerprint } = parseCertificate(strange.certificate)
  const certificate = { fingerprint, certificate: strange.certificate, since: 9, custody: 'device' } as const
  await directory.addCertificate('x1', { ...certificate, use: 'end-to-end' })
  await assert.rejects(opened('x1', []), AccountKeysDamaged)
  await bench.account('x2')
  const device = await toDevice('x2')
  await directory.replaceCertificate('x2', device!.fingerprint, certificate)
  await assert.rejects(opened('x2', []), AccountKeysDamaged)
})
