/**
 * Certificates that GnuPG made, of each kind people have: what the store seals to them lies on the disk as GnuPG and Sequoia open it,
 * to the exact octets, without any code of ours.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createSealedMailStore } from '#custody/store/sealed-mail-store.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { originalOf } from '#formats/pgp-mime/pgp-mime.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { letters } from '../support/letters.ts'
import { needs } from '../support/needs.ts'
import { sqopDecrypt, startGpg } from '../support/peers/gpg.ts'
import { makeProvider } from '../support/provider.ts'
import { sealedBlobs } from '../support/stored.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const account = 'reader00000000000000000001'
const kinds = [
  { name: 'Curve25519', primary: 'ed25519', subkey: 'cv25519' },
  { name: 'RSA 3072', primary: 'rsa3072', subkey: 'rsa3072' },
  { name: 'NIST P-256', primary: 'nistp256', subkey: 'nistp256' },
  { name: 'NIST P-521', primary: 'nistp521', subkey: 'nistp521' },
  // Debian builds Sequoia on Nettle, which has no Brainpool curves.
  { name: 'Brainpool P-384', primary: 'brainpoolP384r1', subkey: 'brainpoolP384r1', sequoia: false },
]

async function keysOf(primary: string, subkey: string) {
  const gpg = await startGpg()
  await gpg.run(['--quick-generate-key', 'reader@alpha.test', primary, 'sign', 'never'])
  const listed = (await gpg.run(['--list-keys', '--with-colons'])).stdout.toString()
  const fingerprint = /^fpr:{9}([0-9A-F]+):/m.exec(listed)![1]!
  await gpg.run(['--quick-add-key', fingerprint, subkey, 'encr', 'never'])
  return {
    gpg,
    certificate: (await gpg.run(['--export', fingerprint])).stdout,
    secretKey: (await gpg.run(['--export-secret-keys', fingerprint])).stdout,
  }
}

describe('what is stored for a certificate that gpg made', needs('gpg', 'sqop'), () => {
  for (const { name, primary, subkey, sequoia = true } of kinds) {
    it(`is what ${sequoia ? 'gpg and Sequoia open' : 'gpg opens'}: ${name}`, async () => {
      const { gpg, certificate, secretKey } = await keysOf(primary, subkey)
      await using _ = gpg
      await using directory = await temporaryDirectory('store')
      const sent = letters('a@beta.test', 'reader@alpha.test', 'A subject', 'a body').map((letter) => letter.content)
      {
        await using sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
        const store = createSealedMailStore(sql, {
          sealing: async () => ({ certificate, device: null }),
          clock: systemClock,
          logger: silentLogger,
        })
        await store.create(account)
        for (const content of sent) {
          const summary = encodeSummary(summarize(content))
          await store.append(account, 'INBOX', { content, summary, internalDate: 1_795_000_000_000, flags: [] })
        }
      }
      const opened = new Map<string, Buffer>()
      for (const blob of await sealedBlobs(directory.path)) {
        opened.set((await gpg.decrypt(blob)).toString('latin1'), blob)
      }
      for (const content of sent) {
        const blob = opened.get(content.toString('latin1'))
        assert.ok(blob, 'not among what gpg opened')
        assert.ok(!blob.includes('A subject') && !blob.includes('a body'))
      }
      if (!sequoia) return
      const first = opened.get(sent[0]!.toString('latin1'))!
      assert.deepEqual(await sqopDecrypt(secretKey, '', first), sent[0])
    })
  }
})

describe('what is stored for an account whose key is on a device', needs('gpg', 'sqop'), () => {
  it('opens at the device alone, to the exact message, with gpg and Sequoia', async () => {
    const rest = await keysOf('ed25519', 'cv25519')
    const device = await keysOf('ed25519', 'cv25519')
    await using _ = rest.gpg
    await using __ = device.gpg
    await using directory = await temporaryDirectory('store')
    const sent = letters('a@beta.test', 'reader@alpha.test', 'A subject', 'a body').map((letter) => letter.content)
    {
      await using sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
      const sealing = async () => ({ certificate: rest.certificate, device: device.certificate })
      const store = createSealedMailStore(sql, { sealing, logger: silentLogger, clock: systemClock })
      await store.create(account)
      for (const content of sent) {
        const summary = encodeSummary(summarize(content))
        await store.append(account, 'INBOX', { content, summary, internalDate: 1_795_000_000_000, flags: [] })
      }
    }
    const opened: Buffer[] = []
    for (const blob of await sealedBlobs(directory.path)) {
      const held = await rest.gpg.decrypt(blob)
      assert.ok(!held.includes('A subject') && !held.includes('a body'))
      const armored = /-----BEGIN PGP MESSAGE-----[\s\S]*-----END PGP MESSAGE-----/.exec(held.toString('latin1'))
      if (armored) opened.push(originalOf(await device.gpg.decrypt(Buffer.from(armored[0], 'latin1'))))
      if (armored && opened.length === 1)
        assert.deepEqual(originalOf(await sqopDecrypt(device.secretKey, '', Buffer.from(armored[0]))), opened[0])
    }
    const sorted = (all: readonly Buffer[]) => all.map((one) => one.toString('latin1')).sort()
    assert.deepEqual(sorted(opened), sorted(sent))
  })
})

describe('an account that was reset and relinked', needs('gpg'), () => {
  it('takes everything away: the exported key and gpg open each file of a sealed export', async () => {
    await using directory = await temporaryDirectory('away')
    const address = 'anna@alpha.test'
    const provider = await makeProvider({
      directory: directory.path,
      domain: 'alpha.test',
      accounts: [{ address, password: 'the first password' }],
    })
    const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
    const take = async (name: string) => {
      await writeFile(directory.join(name), `From a@beta.test Tue Nov  3 10:00:00 2026\nSubject: ${name}\n\nbody\n`)
      await provider.command(['import', address, '--from', `mbox:${directory.join(name)}`])
    }
    await take('before')
    await provider.command(['account', 'password', address, '--reset', '--password-stdin'], secrets('another password'))
    await take('after')
    const relink = ['account', 'relink', address, '--password-stdin']
    await provider.command(relink, secrets('another password', 'the first password'))
    const [keys, sealed] = [directory.join('key.asc'), directory.join('sealed')]
    const exportKey = ['key', 'export', address, '--out', keys, '--password-stdin']
    await provider.command(exportKey, secrets('another password', 'a passphrase'))
    await provider.command(['export', address, '--sealed', '--to', sealed])
    await using gpg = await startGpg()
    await gpg.run(['--import'], { input: await readFile(keys), passphrase: 'a passphrase' })
    const opened: string[] = []
    for (const name of await readdir(join(sealed, 'INBOX')))
      opened.push((await gpg.decrypt(await readFile(join(sealed, 'INBOX', name)), 'a passphrase')).toString())
    assert.deepEqual(opened.sort(), ['Subject: after\r\n\r\nbody\r\n', 'Subject: before\r\n\r\nbody\r\n'])
  })
})
