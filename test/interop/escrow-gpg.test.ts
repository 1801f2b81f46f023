/** The escrow master key and slot are plain OpenPGP: an operator with GnuPG alone can look at both. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeTable } from '#custody/vault/protocol/slot-table.ts'
import { openVault } from '#custody/vault/vault.ts'
import { systemClock } from '#lib/clock.ts'
import { needs } from '../support/needs.ts'
import { startGpg } from '../support/peers/gpg.ts'
import { CHEAP, PASSWORD } from '../support/vault-keyring.ts'

const LOCK = 'locks the master key'
const vault = openVault({ ...CHEAP, graceMs: 0, idleMs: 0 }, systemClock)
const created = systemClock.now()

describe('the escrow master key with GnuPG', needs('gpg'), () => {
  for (const algorithm of ['curve25519', 'rsa4096'] as const) {
    it(`of ${algorithm} is imported with its passphrase, and opens a slot`, async () => {
      const wish = { userId: 'Escrow of alpha.test', algorithm, created }
      const master = await vault.makeMaster({ ...wish, lock: Buffer.from(LOCK) })
      const owner = { password: Buffer.from(PASSWORD), passphrase: Buffer.alloc(0) }
      const made = await vault.create({
        account: 'ada',
        userId: '<ada@alpha.test>',
        algorithm: 'curve25519',
        withKey: 'yes',
        created,
        password: owner.password,
      })
      const order = { account: 'ada', table: made.table, ...owner, master: master.certificate, created }
      const agreed = await vault.addEscrow(order)
      assert.ok(agreed.kind === 'changed')
      const slot = decodeTable(agreed.table).slots.find(({ type }) => type === 'escrow')!
      await using gpg = await startGpg()
      await gpg.run(['--import'], { input: master.secret, passphrase: LOCK })
      const clear = await gpg.decrypt(slot.wrapped, LOCK)
      assert.match(
        clear.toString('latin1'),
        new RegExp(`letterlock escrow 1.*ada.*${slot.id}.*${master.fingerprint}`, 's'),
      )
    })

    it(`of the family of ${algorithm}, made by GnuPG, serves as well`, async () => {
      await using gpg = await startGpg()
      const name = 'Escrow <escrow@alpha.test>'
      const [primary, subkey] = algorithm === 'rsa4096' ? ['rsa3072', 'rsa3072'] : ['ed25519', 'cv25519']
      await gpg.run(['--quick-generate-key', name, primary, 'sign', 'never'], { passphrase: LOCK })
      const [, fingerprint] = /^fpr:+([0-9A-F]{40}):/m.exec((await gpg.run(['--with-colons', '-k'])).stdout.toString())!
      await gpg.run(['--quick-add-key', fingerprint!, subkey, 'encrypt', 'never'], { passphrase: LOCK })
      const exported = await gpg.run(['--export-secret-keys', fingerprint!], { passphrase: LOCK })
      const check = (lock: string) =>
        vault.checkMaster({
          master: exported.stdout,
          masterPassphrase: Buffer.from(lock),
          now: systemClock.now() + 2000,
        })
      assert.deepEqual(await check(LOCK), { kind: 'opens', fingerprint })
      assert.deepEqual(await check('another one'), { kind: 'wrong' })
    })
  }
})
