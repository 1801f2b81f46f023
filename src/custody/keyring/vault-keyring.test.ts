import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import { addressOf, CHEAP, keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import {
  type Keyring,
  PasswordRefused,
  RecoveryCodeMistyped,
  SessionEnded,
  SessionKeysBroken,
  TooLargeToSign,
  type UnlockedKeys,
  VaultBusy,
  VaultGone,
} from './keyring.ts'

const CONTENT = Buffer.from('Subject: hello\r\n\r\nworld\r\n')
const password = () => Buffer.from(PASSWORD)

function sealed(certificate: Uint8Array) {
  const { message, sessionKey } = seal(parseCertificate(certificate).encryptionKeys, CONTENT)
  const [pkesk] = splitMessage(message).pkesks
  return { message, pkesk: pkesk!, encoded: Buffer.from(encodeSessionKey(sessionKey)), sessionKey }
}

/** Shared by the tests that need nothing special; each has an account of its own. */
const bench = await keyringBench()
/** The same with a grace period that nobody outlives. */
const patient = await keyringBench({ graceMs: 3_600_000 })
after(async () => {
  await bench[Symbol.asyncDispose]()
  await patient[Symbol.asyncDispose]()
})

async function opened(keyring: Keyring, account: string, with_: string): Promise<UnlockedKeys> {
  const keys = await keyring.unlock(account, Buffer.from(with_))
  assert.ok(keys, `${account} opens with ${with_}`)
  return keys
}

test('an account opens with its password, gives session keys and signs, and closes', async () => {
  const { certificate, recoveryCode } = await bench.account('t0')
  const other = await bench.account('t0b')
  assert.match(recoveryCode.reveal(), /^([0-9A-Z]{5}-){5}[0-9A-Z]{5}$/)
  assert.equal(parseCertificate(certificate.certificate).fingerprint, certificate.fingerprint)
  assert.deepEqual(parseCertificate(certificate.certificate).userIds, ['<t0@alpha.test>'])
  const keys = await opened(bench.keyring, 't0', PASSWORD)
  const mail = sealed(certificate.certificate)
  const foreign = sealed(other.certificate.certificate)
  const [own, none] = await keys.sessionKeys([mail.pkesk, foreign.pkesk])
  assert.deepEqual(Buffer.from(own!), mail.encoded)
  assert.equal(none, null)
  assert.deepEqual(Buffer.from(unseal(mail.message, mail.sessionKey)), CONTENT)
  assert.equal((await keys.indexKey()).byteLength, 32)
  assert.equal((await keys.sign(CONTENT, Date.UTC(2030, 0)))[0], 0xc2, 'a signature packet')
  await keys[Symbol.asyncDispose]()
  assert.equal(keys.ended.aborted, false, 'who closes knows')
  await assert.rejects(keys.sessionKeys([mail.pkesk]), SessionEnded)
  assert.deepEqual({ ...(await bench.keyring.status()), stretches: 0 }, { handles: 0, accounts: 0, stretches: 0 })
})

test('whole messages are signed, and nothing beyond', async () => {
  const { certificate } = await bench.account('t0c')
  await using keys = await opened(bench.keyring, 't0c', PASSWORD)
  const large = Buffer.alloc(20 << 20, 'large ')
  const recipients = Array.from({ length: 1024 }, () => certificate.fingerprint)
  const signatures = await Promise.all([large, CONTENT].map((one) => keys.sign(one, Date.UTC(2030, 0), { recipients })))
  for (const [index, content] of [large, CONTENT].entries()) {
    const bodies = [...readPackets(signatures[index]!)].map(({ body }) => body)
    const [verified] = verifySignatures(bodies, content, [certificate.certificate], Date.UTC(2030, 1))
    assert.equal(verified?.certificate, certificate.fingerprint)
  }
  await assert.rejects(keys.sign(Buffer.alloc((64 << 20) + 1), 0), TooLargeToSign)
})

test('many session keys at once come in order, and a broken one does not hide the others', async () => {
  const { certificate } = await bench.account('t1')
  await using keys = await opened(bench.keyring, 't1', PASSWORD)
  const mails = Array.from({ length: 40 }, () => sealed(certificate.certificate))
  const many = Array.from({ length: 600 }, (_, index) => mails[index % 40]!)
  const taken = await keys.sessionKeys(many.map(({ pkesk }) => pkesk))
  assert.deepEqual(
    taken.map((one) => Buffer.from(one!)),
    many.map(({ encoded }) => encoded),
  )
  const broken = Buffer.from(mails[1]!.pkesk)
  broken[broken.length - 1]! ^= 1
  await assert.rejects(keys.sessionKeys([mails[0]!.pkesk, broken, Buffer.alloc(5000)]), (error: unknown) => {
    assert.ok(error instanceof SessionKeysBroken)
    assert.deepEqual(error.broken, [1])
    assert.deepEqual(Buffer.from(error.taken[0]!), mails[0]!.encoded)
    assert.equal(error.taken[2], null)
    return true
  })
})

test('a wrong password and an unknown account do the same work; credentials are wiped', async () => {
  await bench.account('t2')
  const work = async (account: string | null, credential: Buffer) => {
    const before = (await bench.keyring.status()).stretches
    assert.equal(await bench.keyring.unlock(account, credential), null)
    assert.ok(credential.every((octet) => octet === 0))
    return (await bench.keyring.status()).stretches - before
  }
  assert.equal(await work('t2', Buffer.from('wrong password')), 1)
  assert.equal(await work(null, Buffer.from('wrong password')), 1)
  assert.equal(await work('t2', Buffer.alloc(0)), 1)
  assert.equal(await work('t2', Buffer.alloc(5000, 'x')), 1)
  assert.equal(await work(null, Buffer.alloc(5000, 'x')), 1)
})

test('while an account is unlocked, the same password costs nothing more and a wrong one as much as ever', async () => {
  await patient.account('p3')
  const stretches = async () => (await patient.keyring.status()).stretches
  const first = await opened(patient.keyring, 'p3', PASSWORD)
  const before = await stretches()
  const second = await opened(patient.keyring, 'p3', PASSWORD)
  assert.equal(await stretches(), before)
  assert.equal(await patient.keyring.unlock('p3', Buffer.from('wrong password')), null)
  assert.equal(await stretches(), before + 1)
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
  const { handles, accounts } = await patient.keyring.status()
  assert.deepEqual([handles, accounts], [0, 1], 'in its grace period')
  await using third = await opened(patient.keyring, 'p3', PASSWORD)
  assert.equal(await stretches(), before + 1)
  await patient.keyring.endSessions('p3')
  assert.equal(third.ended.aborted, true)
  assert.equal((await patient.keyring.status()).accounts, 0)
})

test('a changed password keeps the keys, ends the sessions, and the old one is wrong', async () => {
  const { certificate } = await patient.account('p4')
  const keys = await opened(patient.keyring, 'p4', PASSWORD)
  const index = await keys.indexKey()
  assert.equal(
    await patient.keyring.changePassword('p4', Buffer.from('not the old'), Buffer.from('new password')),
    false,
  )
  assert.equal(keys.ended.aborted, false)
  assert.equal(await patient.keyring.changePassword('p4', password(), Buffer.from('new password')), true)
  assert.equal(keys.ended.aborted, true)
  await assert.rejects(keys.indexKey(), SessionEnded)
  assert.equal(await patient.keyring.unlock('p4', password()), null)
  await using again = await opened(patient.keyring, 'p4', 'new password')
  assert.deepEqual(await again.indexKey(), index)
  const mail = sealed(certificate.certificate)
  assert.deepEqual(Buffer.from((await again.sessionKeys([mail.pkesk]))[0]!), mail.encoded)
  const table = JSON.parse(
    (await readFile(patient.folder.join('accounts', 'p4', 'keyslots.a'), 'latin1')).split('\n')[0]!,
  )
  assert.deepEqual(
    table.slots.map((slot: { type: string }) => slot.type),
    ['recovery', 'password'],
    'the old slot is gone',
  )
})

test('the recovery code works once, in any case and grouping, and typing errors are told', async () => {
  const { recoveryCode } = await bench.account('t5')
  const code = recoveryCode.reveal()
  const typed = (text: string) => bench.keyring.recover('t5', Buffer.from(text), Buffer.from('new password'))
  const last = code.at(-1) === '7' ? '8' : '7'
  await assert.rejects(typed(code.slice(0, -1) + last), RecoveryCodeMistyped)
  await assert.rejects(typed('my old password'), RecoveryCodeMistyped)
  const recovered = await typed(` ${code.toLowerCase().replaceAll('-', ' ')} `)
  assert.ok(recovered)
  assert.equal(await bench.keyring.unlock('t5', password()), null)
  await (await opened(bench.keyring, 't5', 'new password'))[Symbol.asyncDispose]()
  assert.equal(await typed(code), null, 'used up')
  assert.ok(await typed(recovered.recoveryCode.reveal()))
})

test('a reset gives a new key and loses no mail: the old password or code relinks it', async () => {
  const first = await bench.account('t6')
  const old = sealed(first.certificate.certificate)
  const second = await bench.keyring.reset('t6', addressOf('t6'), Buffer.from('second password'), 'curve25519')
  const third = await bench.keyring.reset('t6', addressOf('t6'), Buffer.from('third password'), 'curve25519')
  const listed = await bench.directory.certificates('t6')
  assert.deepEqual(
    listed.map(({ fingerprint, current, revocation }) => [fingerprint, current, revocation !== undefined]),
    [
      [third.certificate.fingerprint, true, false],
      [second.certificate.fingerprint, false, true],
      [first.certificate.fingerprint, false, true],
    ],
  )
  assert.match(Buffer.from(listed[2]!.revocation!).toString(), /^-----BEGIN PGP PUBLIC KEY BLOCK-----/)
  assert.equal(await bench.keyring.unlock('t6', password()), null)
  const before = await opened(bench.keyring, 't6', 'third password')
  assert.deepEqual(await before.sessionKeys([old.pkesk]), [null])
  await before[Symbol.asyncDispose]()
  const relink = (with_: string) =>
    bench.keyring.relink('t6', { password: Buffer.from('third password') }, Buffer.from(with_))
  assert.equal(await relink('never a password'), null)
  assert.equal(await bench.keyring.relink('t6', { password: Buffer.from('wrong password') }, password()), null)
  assert.deepEqual(await relink(PASSWORD), { relinked: 1 })
  assert.deepEqual(await relink(second.recoveryCode.reveal()), { relinked: 1 })
  assert.equal(await relink(PASSWORD), null, 'nothing is parked any more')
  await using after = await opened(bench.keyring, 't6', 'third password')
  const newest = sealed(third.certificate.certificate)
  const taken = await after.sessionKeys([old.pkesk, newest.pkesk])
  assert.deepEqual(
    taken.map((one) => Buffer.from(one!)),
    [old.encoded, newest.encoded],
  )
  const exported = await bench.keyring.exportSecretKey(
    't6',
    { password: Buffer.from('third password') },
    Buffer.from('passphrase'),
  )
  assert.equal(exported!.match(/^-----BEGIN PGP PRIVATE KEY BLOCK-----$/gm)?.length, 3)
})

test('an exported key is locked with the passphrase, and only the password gives it out', async () => {
  await bench.account('t7')
  const exported = (with_: string, passphrase: string) =>
    bench.keyring.exportSecretKey('t7', { password: Buffer.from(with_) }, Buffer.from(passphrase))
  assert.match((await exported(PASSWORD, 'passphrase'))!, /^-----BEGIN PGP PRIVATE KEY BLOCK-----/)
  assert.equal(await exported('wrong password', 'passphrase'), null)
  await assert.rejects(exported(PASSWORD, ''), PasswordRefused)
})

test('new passwords have 8 to 1024 octets, whatever they are', async () => {
  await bench.account('t8')
  for (const next of ['', 'seven77', 'x'.repeat(1025)]) {
    await assert.rejects(bench.keyring.changePassword('t8', password(), Buffer.from(next)), PasswordRefused)
    await assert.rejects(bench.keyring.create('a9', addressOf('a9'), Buffer.from(next), 'curve25519'), PasswordRefused)
  }
  const odd = Buffer.from(Array.from({ length: 1024 }, (_, octet) => octet & 255))
  assert.equal(await bench.keyring.changePassword('t8', password(), Buffer.from(odd)), true)
  assert.ok(await bench.keyring.unlock('t8', odd))
})

test('two processes that change the password at once: one wins, and its password opens', async () => {
  await bench.account('t9')
  await using other = await bench.another()
  const change = (keyring: Keyring, next: string) => keyring.changePassword('t9', password(), Buffer.from(next))
  const changed = await Promise.all([
    change(bench.keyring, 'password of one'),
    change(other, 'password of other'),
    change(bench.keyring, 'password of a third'),
  ])
  assert.equal(changed.filter((one) => one).length, 1)
  const next = ['password of one', 'password of other', 'password of a third'][changed.indexOf(true)]!
  await using keys = await opened(other, 't9', next)
  assert.ok(keys)
})

test('a login with the old password that is under way while it changes does not survive the change', async () => {
  await using slow = await keyringBench({ argon2: { memory: 4096, passes: 2, waiting: 64 } })
  await slow.account('a1')
  let isChanged = false
  const change = slow.keyring.changePassword('a1', password(), Buffer.from('new password')).then((changed) => {
    assert.equal(changed, true)
    isChanged = true
  })
  const logins: Promise<UnlockedKeys | null>[] = []
  while (!isChanged) {
    logins.push(slow.keyring.unlock('a1', password()))
    if (logins.length % 3 === 0) await Promise.race([change, logins.at(-2)])
  }
  await change
  const survivors = (await Promise.all(logins)).filter((keys) => keys !== null && !keys.ended.aborted)
  assert.deepEqual(survivors, [])
  assert.ok(logins.length > 2)
  assert.equal((await slow.keyring.status()).handles, 0)
})

test('what another process changed counts at the next login', async () => {
  await patient.account('p10')
  const keys = await opened(patient.keyring, 'p10', PASSWORD)
  await using other = await patient.another()
  await other.changePassword('p10', password(), Buffer.from('new password'))
  assert.equal(await patient.keyring.unlock('p10', password()), null, 'though it was remembered')
  await using again = await opened(patient.keyring, 'p10', 'new password')
  await assert.rejects(keys.indexKey(), SessionEnded)
  assert.equal(keys.ended.aborted, true)
  assert.ok(await again.indexKey())
})

test('when the vault dies, sessions end and the next login has a new one', async () => {
  await using bench = await keyringBench()
  await bench.account('a1')
  const keys = await opened(bench.keyring, 'a1', PASSWORD)
  const pid = await bench.keyring.vaultPid()
  const ended = once(keys.ended, 'abort')
  process.kill(pid, 'SIGKILL')
  await assert.rejects(keys.indexKey(), VaultGone)
  await ended
  await using again = await opened(bench.keyring, 'a1', PASSWORD)
  assert.ok(await again.indexKey())
  assert.notEqual(await bench.keyring.vaultPid(), pid)
})

test('too many logins at once are refused as busy, and the others served', async () => {
  await using bench = await keyringBench({ argon2: { ...CHEAP, passes: 16, memory: 8192, waiting: 3 } })
  await bench.account('a1')
  const logins = await Promise.allSettled(
    Array.from({ length: 10 }, () => bench.keyring.unlock(null, Buffer.from('wrong password'))),
  )
  const refused = logins.filter((one) => one.status === 'rejected')
  assert.equal(refused.length, 5, 'two run, three wait')
  for (const { reason } of refused) assert.ok(reason instanceof VaultBusy)
})

test('an account without a key is reset without one, and what has a key is not', async () => {
  const address = addressOf('keyless')
  await bench.keyring.createWithoutKey('keyless', password())
  await bench.directory.addAccount({ id: 'keyless', address, state: 'active', created: 1, quota: null }, null)
  const { recoveryCode } = await bench.keyring.resetWithoutKey('keyless', Buffer.from('second password'))
  assert.equal(await bench.keyring.unlock('keyless', password()), null)
  await (await opened(bench.keyring, 'keyless', 'second password'))[Symbol.asyncDispose]()
  assert.equal((await bench.keyring.custody('keyless')).mode, 'none')
  assert.ok(await bench.keyring.recover('keyless', Buffer.from(recoveryCode.reveal()), Buffer.from('third password')))
  await bench.account('keyed')
  await assert.rejects(bench.keyring.resetWithoutKey('keyed', password()), /has a key/)
})
