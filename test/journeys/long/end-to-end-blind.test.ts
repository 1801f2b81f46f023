/** One message to somebody at another provider, somebody at one's own, and a blind recipient at the other: who learns what of whom. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { decrypt, decryptKey, type PrivateKey, readMessage, readPrivateKey } from 'openpgp'
import {
  type Correspondent,
  currentKeyOf,
  fieldsOf,
  letter,
  mailArrived,
  mailOf,
  queueEmpty,
  submit,
} from '../../support/correspondence.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'
import { startWorld, type World } from '../../support/world.ts'

const account = (address: string) => ({ address, password: `the password of ${address}` })
const ACCOUNTS = {
  'alpha.test': [account('alice@alpha.test'), account('carol@alpha.test')],
  'beta.test': [account('bob@beta.test'), account('dora@beta.test')],
}

describe('a blind recipient', () => {
  let directory: TemporaryDirectory
  let world: World
  let [alice, carol, bob, dora]: Correspondent[] = []

  before(async () => {
    directory = await temporaryDirectory('end-to-end-blind')
    world = await startWorld({ directory: directory.path, providers: ACCOUNTS, names: 'fake' })
    ;[alice, carol, bob, dora] = Object.entries(ACCOUNTS).flatMap(([domain, accounts]) =>
      accounts.map((one) => ({ ...one, provider: world.providers[domain]! })),
    )
    const fields = { From: alice!.address, To: bob!.address, Cc: carol!.address, Bcc: dora!.address, Subject: 'Plans' }
    const to = [bob!.address, carol!.address, dora!.address]
    const { code, lines } = await submit({ author: alice!, to, message: letter(fields, 'For three.') })
    assert.equal(code, 250, lines.join('\n'))
    await queueEmpty(alice!)
  })
  after(async () => {
    await world?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  async function secretKeyOf({ provider, address, password }: Correspondent): Promise<PrivateKey> {
    const passphrase = 'a passphrase of its own'
    const args = ['key', 'export', address, '--password-stdin']
    const { stdout } = await provider.command(args, { input: `${password}\n${passphrase}\n` })
    return await decryptKey({ privateKey: await readPrivateKey({ armoredKey: stdout.toString() }), passphrase })
  }

  it('everybody can read it', async () => {
    for (const reader of [bob!, carol!, dora!]) {
      const [message] = await mailArrived(reader, 1)
      assert.ok(message!.toString().endsWith('\r\n\r\nFor three.\r\n'), reader.address)
      assert.deepEqual(fieldsOf(message!, 'Subject'), ['Plans'])
    }
  })

  it('nobody but herself and the author reads of dora', async () => {
    for (const reader of [bob!, carol!]) {
      const [message] = await mailOf(reader)
      assert.doesNotMatch(message!.toString(), /dora/i, reader.address)
    }
    const [kept] = await mailOf(alice!, 'Sent')
    assert.deepEqual(fieldsOf(kept!, 'Bcc'), [dora!.address])
    const protections = fieldsOf(kept!, 'Letterlock-Protection')
    assert.deepEqual(protections.map((text) => /to=(\S+);/.exec(text)?.[1]).sort(), [bob!.address, dora!.address])
  })

  it('a copy for each: neither its keys nor its signature name the other', async () => {
    const wire = world.wires['beta.test']!.heard().toString('latin1')
    const copies = wire.match(/-----BEGIN PGP MESSAGE-----[\s\S]*?-----END PGP MESSAGE-----/g) ?? []
    assert.equal(copies.length, 2)
    const people = await Promise.all(
      [bob!, dora!].map(async (one) => ({ key: await secretKeyOf(one), ...(await currentKeyOf(one)) })),
    )
    const openedBy: string[] = []
    for (const copy of copies) {
      const message = await readMessage({ armoredMessage: copy })
      const named = message.getEncryptionKeyIDs().map((id) => id.toHex())
      assert.equal(named.length, 1)
      const owner = people.find(({ key }) => key.getKeys().some((one) => one.getKeyID().toHex() === named[0]))!
      const other = people.find((one) => one !== owner)!
      const { data, signatures } = await decrypt({ message, decryptionKeys: owner.key, format: 'binary' })
      const signed = await Promise.all(signatures.map(async ({ signature }) => (await signature).write()))
      assert.equal(signed.length, 1)
      const inside = Buffer.concat([data, ...signed])
      assert.ok(inside.includes(Buffer.from(owner.fingerprint, 'hex')), 'the signature names whom it is for')
      assert.ok(!inside.includes(Buffer.from(other.fingerprint, 'hex')))
      assert.ok(!inside.includes('dora'))
      openedBy.push(owner.fingerprint)
    }
    assert.equal(new Set(openedBy).size, 2)
  })
})
