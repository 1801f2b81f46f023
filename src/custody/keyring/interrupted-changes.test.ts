/** What is left when the power goes between any two steps of a change: the old or the new credential, and all the mail. */
import assert from 'node:assert/strict'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { addressOf, keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import type { Disk } from './durable-files.ts'
import type { Keyring } from './keyring.ts'

class PowerCut extends Error {}

/** A disk that takes `steps` more steps and then nothing: neither the step itself nor any after it. It does not sync. */
class FailingDisk implements Disk {
  left = Number.POSITIVE_INFINITY
  #step(): void {
    if (this.left-- <= 0) throw new PowerCut()
  }
  async writeNew(path: string, content: Uint8Array): Promise<void> {
    this.#step()
    await writeFile(path, content, { flag: 'wx' })
  }
  async rename(from: string, to: string): Promise<void> {
    this.#step()
    await rename(from, to)
  }
  async syncFolder(): Promise<void> {
    this.#step()
  }
}

const failing = new FailingDisk()
const bench = await keyringBench({ disk: failing })
after(() => bench[Symbol.asyncDispose]())

/** Runs the change with one step more each time until it comes through; after each, `check` looks at what is left. */
async function interruptEverywhere(
  make: (account: string) => Promise<unknown>,
  change: (account: string) => Promise<unknown>,
  check: (account: string, isWhole: boolean) => Promise<void>,
): Promise<number> {
  const name = `${change.name}-`
  for (let steps = 0; ; steps++) {
    const account = `${name}${steps}`
    await make(account)
    failing.left = steps
    let isWhole = true
    await change(account).catch((error) => {
      if (!(error instanceof PowerCut)) throw error
      isWhole = false
    })
    failing.left = Number.POSITIVE_INFINITY
    await check(account, isWhole)
    if (isWhole) return steps
  }
}

async function opens(keyring: Keyring, account: string, password: string): Promise<boolean> {
  const keys = await keyring.unlock(account, Buffer.from(password))
  await keys?.[Symbol.asyncDispose]()
  return keys !== null
}

const NEXT = 'the next password'

test('a change of password, interrupted anywhere, leaves the old or the new one working', async () => {
  const change = (account: string) => bench.keyring.changePassword(account, Buffer.from(PASSWORD), Buffer.from(NEXT))
  const steps = await interruptEverywhere(bench.account, change, async (account, isWhole) => {
    const [old, next] = [await opens(bench.keyring, account, PASSWORD), await opens(bench.keyring, account, NEXT)]
    assert.ok(old || next, 'something opens')
    if (isWhole) assert.deepEqual([old, next], [false, true])
    // And the same change can be made again.
    const with_ = next ? NEXT : PASSWORD
    const again = await bench.keyring.changePassword(account, Buffer.from(with_), Buffer.from('a third password'))
    assert.equal(again, true)
    assert.equal(await opens(bench.keyring, account, PASSWORD), false)
    assert.equal(await opens(bench.keyring, account, NEXT), false)
    assert.equal(await opens(bench.keyring, account, 'a third password'), true)
  })
  assert.ok(steps >= 12, 'two tables, two copies of each, three steps for each copy')
})

test('a recovery, interrupted anywhere, leaves the old password, the code or the new password working', async () => {
  const codes = new Map<string, string>()
  const make = async (account: string) => {
    codes.set(account, (await bench.account(account)).recoveryCode.reveal())
  }
  const recover = (account: string) =>
    bench.keyring.recover(account, Buffer.from(codes.get(account)!), Buffer.from(NEXT))
  await interruptEverywhere(make, recover, async (account, isWhole) => {
    const next = await opens(bench.keyring, account, NEXT)
    const old = await opens(bench.keyring, account, PASSWORD)
    assert.ok(old || next)
    if (isWhole) assert.deepEqual([old, next], [false, true])
    if (!next) assert.ok(await recover(account))
    assert.equal(await opens(bench.keyring, account, NEXT), true)
  })
})

test('a reset, interrupted anywhere, is not done or is finished by the next login; old mail can be relinked', async () => {
  const reset = (account: string) => bench.keyring.reset(account, addressOf(account), Buffer.from(NEXT), 'curve25519')
  await interruptEverywhere(bench.account, reset, async (account) => {
    const [before] = await bench.directory.certificates(account).then((all) => all.slice(-1))
    const old = seal(parseCertificate(before!.certificate).encryptionKeys, Buffer.from('x'))
    const isReset = await opens(bench.keyring, account, NEXT)
    assert.notEqual(await opens(bench.keyring, account, PASSWORD), isReset, 'one of the two, at every step')
    if (!isReset) {
      assert.equal((await bench.directory.certificates(account)).length, 1)
      return
    }
    const [current, first] = await bench.directory.certificates(account)
    assert.notEqual(current!.fingerprint, first!.fingerprint)
    assert.equal(first!.fingerprint, before!.fingerprint)
    assert.ok(first!.revocation)
    assert.deepEqual(await bench.keyring.relink(account, { password: Buffer.from(NEXT) }, Buffer.from(PASSWORD)), {
      relinked: 1,
    })
    await using keys = await bench.keyring.unlock(account, Buffer.from(NEXT))
    assert.ok((await keys!.sessionKeys(splitMessage(old.message).pkesks))[0])
  })
})

test('relinking, interrupted anywhere, can be done again', async () => {
  const relink = (account: string) =>
    bench.keyring.relink(account, { password: Buffer.from(NEXT) }, Buffer.from(PASSWORD))
  const old = new Map<string, readonly Uint8Array[]>()
  const make = async (account: string) => {
    const { certificate } = await bench.account(account)
    const sealed = seal(parseCertificate(certificate.certificate).encryptionKeys, Buffer.from('x'))
    old.set(account, splitMessage(sealed.message).pkesks)
    await bench.keyring.reset(account, addressOf(account), Buffer.from(NEXT), 'curve25519')
  }
  await interruptEverywhere(make, relink, async (account) => {
    await relink(account)
    await using keys = await bench.keyring.unlock(account, Buffer.from(NEXT))
    assert.ok((await keys!.sessionKeys(old.get(account)!))[0])
  })
})

test('what a crash left half written is taken for nothing, and goes with the next change', async () => {
  await bench.account('leftover')
  for (const name of ['keyslots.a.x.new', 'keys/F.locked.x.new', 'revocations/F.x.new']) {
    await writeFile(bench.folder.join('accounts', 'leftover', name), 'half')
  }
  assert.ok(await opens(bench.keyring, 'leftover', PASSWORD))
  assert.ok(await bench.keyring.changePassword('leftover', Buffer.from(PASSWORD), Buffer.from(NEXT)))
  const names = await readdir(bench.folder.join('accounts', 'leftover'))
  assert.deepEqual(names.sort(), ['keys', 'keyslots.a', 'keyslots.b', 'keyslots.lock', 'revocations'])
  for (const folder of ['keys', 'revocations']) {
    assert.equal((await readdir(bench.folder.join('accounts', 'leftover', folder))).length, 1)
  }
})
