/**
 * An account with a key for others to write to and another one that its mail rests under: what arrives waits, sealed to both, until its
 * owner comes; from then on the one at rest alone opens it. What answers it is sealed as well, or stopped.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { decrypt, decryptKey, type PrivateKey, readMessage, readPrivateKeys } from 'openpgp'
import { type Correspondent, fieldsOf, letter, mailArrived, queueEmpty, submit } from '../../support/correspondence.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { startWorld } from '../../support/world.ts'

const account = (address: string) => ({ address, password: `the password of ${address}` })
const ACCOUNTS = { 'alpha.test': [account('alice@alpha.test')], 'beta.test': [account('bob@beta.test')] }

interface ListedKey {
  readonly fingerprint: string
  readonly use: string
}

async function secretKeys({ provider, address, password }: Correspondent): Promise<Map<string, PrivateKey>> {
  const passphrase = 'a passphrase of its own'
  const exported = await provider.command(['key', 'export', address, '--password-stdin'], {
    input: `${password}\n${passphrase}\n`,
  })
  const keys = await readPrivateKeys({ armoredKeys: exported.stdout.toString() })
  const open = await Promise.all(keys.map((privateKey) => decryptKey({ privateKey, passphrase })))
  return new Map(open.map((key) => [key.getFingerprint().toUpperCase(), key]))
}

/** The only stored message, opened once with one key. */
async function openedBy(key: PrivateKey, directory: string): Promise<Buffer> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sealed = files.filter((file) => file.includes('INBOX'))
  assert.equal(sealed.length, 1, files.join(' '))
  const message = await readMessage({ binaryMessage: await readFile(sealed[0]!) })
  return Buffer.from((await decrypt({ message, decryptionKeys: key, format: 'binary' })).data)
}

test('a key of its own at rest', async () => {
  await using directory = await temporaryDirectory('end-to-end-at-rest')
  await using world = await startWorld({ directory: directory.path, providers: ACCOUNTS, names: 'fake' })
  const alice = { ...ACCOUNTS['alpha.test'][0]!, provider: world.providers['alpha.test']! }
  const bob = { ...ACCOUNTS['beta.test'][0]!, provider: world.providers['beta.test']! }
  await bob.provider.command(['key', 'rotate', bob.address, '--end-to-end', '--password-stdin'], {
    input: `${bob.password}\n`,
  })
  const { keys } = await bob.provider.json<{ keys: ListedKey[] }>(['key', 'list', bob.address])
  const fingerprintFor = (use: string) => keys.find((key) => key.use === use)!.fingerprint
  assert.notEqual(fingerprintFor('rest'), fingerprintFor('end-to-end'))
  const atRest = (await secretKeys(bob)).get(fingerprintFor('rest'))!
  assert.ok(atRest)

  const fields = { From: alice.address, To: bob.address, Subject: 'Between the two of us' }
  const sent = letter(fields, 'The words.')
  const { code, lines } = await submit({ author: alice, to: [bob.address], message: sent })
  assert.equal(code, 250, lines.join('\n'))
  await queueEmpty(alice)

  const stored = async (name: string) => {
    await bob.provider.command(['export', bob.address, '--to', directory.join(name), '--sealed'])
    return await openedBy(atRest, directory.join(name))
  }
  const waiting = await stored('before')
  assert.match(waiting.toString(), /-----BEGIN PGP MESSAGE-----/)
  assert.doesNotMatch(waiting.toString(), /Between the two|The words/)

  const [read] = await mailArrived(bob, 1)
  assert.ok(read!.subarray(-sent.length).equals(sent))
  assert.match(fieldsOf(read!, 'Authentication-Results')[0]!, /openpgp=pass/)
  assert.ok((await stored('afterwards')).equals(read!))

  const answer = (to: readonly string[]) => {
    const named = { From: bob.address, To: to.join(', '), 'In-Reply-To': fieldsOf(sent, 'Message-ID')[0]! }
    return submit({ author: bob, to, message: letter(named, '> The words.') })
  }
  // Nobody publishes a key of the second.
  const stopped = await answer([alice.address, 'nobody@alpha.test'])
  assert.equal(stopped.code, 550)
  assert.match(
    stopped.lines.join('\n'),
    /nobody@alpha\.test: no certificate[\s\S]*answers a message that came encrypted/,
  )
  assert.equal((await answer([alice.address])).code, 250)
})
