/** SCRAM-SHA-256 over the real vault: what a proof opens, what it does not, and what strangers are told. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { type KeyringBench, keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import { proofOf, scramKeys, serverSignature } from '../vault/scram-lock.ts'
import type { ProtocolUse } from './keyring.ts'

let bench: KeyringBench
before(async () => {
  bench = await keyringBench()
  for (const id of ['ann', 'bob', 'cleo', 'dora']) await bench.account(id)
})
after(() => bench[Symbol.asyncDispose]())

const wishOf = (id: string) => ({ userIds: [`<${id}@alpha.test>`], algorithm: 'curve25519' }) as const
const owner = () => ({ password: Buffer.from(PASSWORD) })

async function appPassword(id: string, scope: readonly string[] = ['imap', 'sign'], expires: number | null = null) {
  const added = await bench.keyring.addAppPassword(id, owner(), { label: 'phone', scope, expires })
  assert.ok(added)
  return { id: added.id, password: added.password.reveal() }
}

/** What a client does that knows this password. */
async function prove(id: string, password: string, use: ProtocolUse = 'imap', name = `${id}@alpha.test`) {
  const terms = await bench.keyring.scramTerms(id, name)
  const keys = scramKeys(Buffer.from(password), terms)
  const authMessage = randomBytes(40)
  const proof = proofOf(keys, authMessage)
  const entered = await bench.keyring.unlockByProof(id, { authMessage, proof }, use)
  assert.deepEqual(proof, Buffer.alloc(32), 'the proof is wiped')
  if (entered) assert.deepEqual(entered.signature, serverSignature(keys, authMessage))
  return entered?.keys ?? null
}

async function opens(...shown: Parameters<typeof prove>): Promise<boolean> {
  await using keys = await prove(...shown)
  if (keys?.reads) assert.equal((await keys.indexKey()).byteLength, 32)
  return keys !== null
}

test('an app password opens what it is for, beside others, and without the session being remembered', async () => {
  const all = [await appPassword('ann'), await appPassword('ann', ['smtp']), await appPassword('ann', ['pop3', 'imap'])]
  assert.deepEqual(await Promise.all(all.map(({ password }) => opens('ann', password, 'imap'))), [true, false, true])
  assert.deepEqual(await Promise.all(all.map(({ password }) => opens('ann', password, 'smtp'))), [false, true, false])
  await using first = await prove('ann', all[0]!.password)
  await using second = await prove('ann', all[2]!.password)
  assert.deepEqual([first?.slot, second?.slot, first?.signs, second?.signs], [all[0]!.id, all[2]!.id, true, false])
  await using sender = await prove('ann', all[1]!.password, 'smtp')
  assert.deepEqual([sender?.reads, sender?.signs], [false, false])
  const facts = await bench.keyring.keyslots('ann')
  assert.deepEqual(facts.map(({ type, scram }) => `${type} ${scram}`).sort(), [
    'app true',
    'app true',
    'app true',
    'password false',
    'recovery false',
  ])
  assert.ok(facts.filter(({ type }) => type === 'app').every(({ lastUse }) => lastUse !== null))
})

test('nothing else opens: the own password, another text of the same code, a proof of another exchange', async () => {
  const { password } = await appPassword('bob')
  assert.equal(await opens('bob', PASSWORD), false)
  assert.equal(await opens('bob', password.toLowerCase()), false)
  assert.equal(await opens('ann', password), false)
  const keys = scramKeys(Buffer.from(password), await bench.keyring.scramTerms('bob', 'bob@alpha.test'))
  const authMessage = Buffer.from('one exchange')
  const wrong = [
    { authMessage: Buffer.from('another exchange'), proof: proofOf(keys, authMessage) },
    { authMessage, proof: Buffer.alloc(32) },
    { authMessage, proof: Buffer.alloc(31) },
  ]
  for (const shown of wrong) assert.equal(await bench.keyring.unlockByProof('bob', shown, 'imap'), null)
  const good = { authMessage, proof: proofOf(keys, authMessage) }
  assert.equal(await bench.keyring.unlockByProof(null, good, 'imap'), null)
})

test('expired, blocked and revoked ones are wrong', async () => {
  const [blocked, revoked] = [await appPassword('bob'), await appPassword('bob')]
  assert.equal(await opens('bob', blocked.password), true)
  await bench.keyring.blockSlots('bob', [blocked.id])
  assert.equal(await opens('bob', blocked.password), false)
  assert.equal(await opens('bob', revoked.password), true)
  await using session = await prove('bob', revoked.password)
  assert.equal(await bench.keyring.revokeAppPasswords('bob', owner(), [revoked.id]), true)
  assert.equal(await opens('bob', revoked.password), false)
  assert.equal(session?.ended.aborted, true)
  const now = systemClock.now()
  const passing = await appPassword('bob', ['imap'], now + 60_000)
  assert.equal(await opens('bob', passing.password), true)
  await using later = await bench.another({ clock: createFakeClock(now + 60_000) })
  const keys = scramKeys(Buffer.from(passing.password), await later.scramTerms('bob', 'bob@alpha.test'))
  const authMessage = Buffer.from('a minute later')
  assert.equal(await later.unlockByProof('bob', { authMessage, proof: proofOf(keys, authMessage) }, 'imap'), null)
})

test('it outlives a new password, a passphrase and a new generation', async () => {
  const { password } = await appPassword('cleo')
  const next = () => Buffer.from('the next password')
  assert.equal(await bench.keyring.changePassword('cleo', Buffer.from(PASSWORD), next()), true)
  assert.equal(await opens('cleo', password), true)
  const passphrase = () => Buffer.from('and a passphrase')
  assert.equal(await bench.keyring.setPassphrase('cleo', { password: next() }, passphrase()), true)
  assert.equal(await opens('cleo', password), true)
  const both = { password: next(), passphrase: passphrase() }
  assert.ok(await bench.keyring.rotateKey('cleo', both, wishOf('cleo')))
  assert.equal(await opens('cleo', password), true)
})

test('strangers are told the same as owners: before there is an app password, after it, and for a name of nobody', async () => {
  const told = async (id: string | null, name: string) => {
    const { salt, iterations } = await bench.keyring.scramTerms(id, name)
    return `${Buffer.from(salt).toString('hex')} ${iterations}`
  }
  const before = await told('dora', 'dora@alpha.test')
  assert.equal(await told(null, 'dora@alpha.test'), before)
  const { password } = await appPassword('dora')
  assert.equal(await told('dora', 'Dora@ALPHA.test'), before)
  await appPassword('dora')
  assert.equal(await told('dora', 'dora@alpha.test'), before)
  assert.match(before, /^[0-9a-f]{32} 4096$/)
  // an alias says nothing of whose it is
  const alias = await told('dora', 'info@alpha.test')
  assert.notEqual(alias, before)
  assert.equal(await told(null, 'info@alpha.test'), alias)
  assert.equal(await opens('dora', password, 'imap', 'info@alpha.test'), false)
  await using other = await bench.another()
  assert.equal(Buffer.from((await other.scramTerms(null, 'dora@alpha.test')).salt).toString('hex'), before.slice(0, 32))
  assert.notEqual(await told(null, 'eve@alpha.test'), before)
})

test('neither the password nor ClientKey is on the disk', async () => {
  const { password } = await appPassword('dora')
  assert.equal(await opens('dora', password), true)
  const { clientKey, storedKey } = scramKeys(
    Buffer.from(password),
    await bench.keyring.scramTerms('dora', 'dora@alpha.test'),
  )
  const forms = (octets: Buffer) => [octets.toString('latin1'), octets.toString('base64'), octets.toString('hex')]
  let known = 0
  for (const entry of await readdir(bench.folder.path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const content = (await readFile(join(entry.parentPath, entry.name))).toString('latin1')
    for (const secret of [...forms(Buffer.from(password)), ...forms(clientKey)])
      assert.ok(!content.includes(secret), entry.name)
    if (content.includes(storedKey.toString('base64'))) known++
  }
  assert.equal(known, 2, 'the search finds what is there: StoredKey, in both copies of the table')
})
