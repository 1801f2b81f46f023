/** What is left when the power goes between any two steps of a change: the old or the new credential, and all the mail. */
import assert from 'node:assert/strict'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import type { Disk } from '#custody/keyring/durable-files.ts'
import { type Keyring, PassphraseNeeded } from '#custody/keyring/keyring.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { addressOf, keyringBench, PASSWORD } from '../support/vault-keyring.ts'

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

/** After each rename: in between nothing is seen to be different. */
const RENAMES = { first: 2, stride: 3 }

/** Runs the change with one step more each time until it comes through; after each, `check` looks at what is left. */
async function interruptEverywhere(
  make: (account: string) => Promise<unknown>,
  change: (account: string) => Promise<unknown>,
  check: (account: string, isWhole: boolean) => Promise<void>,
  { first, stride } = { first: 0, stride: 1 },
): Promise<number> {
  const name = `${change.name}-`
  for (let steps = first; ; steps += stride) {
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

const PHONE = { label: 'phone', scope: ['imap'], expires: null }
const owner = () => ({ password: Buffer.from(PASSWORD) })

test('a new app password, interrupted anywhere, is there or not; the password opens', async () => {
  const addApp = (account: string) => bench.keyring.addAppPassword(account, owner(), PHONE)
  await interruptEverywhere(
    bench.account,
    addApp,
    async (account) => {
      assert.ok(await opens(bench.keyring, account, PASSWORD))
      const again = await addApp(account)
      assert.ok(await opens(bench.keyring, account, again!.password.reveal()))
    },
    RENAMES,
  )
})

test('a revocation, interrupted anywhere, is done or can be done again; what was blocked never opens', async () => {
  const apps = new Map<string, { readonly id: string; readonly password: string }[]>()
  const make = async (account: string) => {
    await bench.account(account)
    const made = []
    for (let index = 0; index < 3; index++) {
      const added = await bench.keyring.addAppPassword(account, owner(), PHONE)
      made.push({ id: added!.id, password: added!.password.reveal() })
    }
    await bench.keyring.blockSlots(account, [made[1]!.id])
    apps.set(account, made)
  }
  const revoke = (account: string) => bench.keyring.revokeAppPasswords(account, owner(), [apps.get(account)![0]!.id])
  await interruptEverywhere(
    make,
    revoke,
    async (account, isWhole) => {
      const [revoked, blocked, kept] = apps.get(account)!
      if (isWhole) assert.equal(await opens(bench.keyring, account, revoked!.password), false)
      assert.equal(await opens(bench.keyring, account, blocked!.password), false)
      assert.ok(await opens(bench.keyring, account, kept!.password))
      assert.ok(await opens(bench.keyring, account, PASSWORD))
    },
    RENAMES,
  )
})

test('a new recovery code, interrupted anywhere: the one before opens until the new one was handed out', async () => {
  const codes = new Map<string, string>()
  const make = async (account: string) => {
    codes.set(account, (await bench.account(account)).recoveryCode.reveal())
  }
  const reissue = async (account: string) => {
    const fresh = await bench.keyring.reissueRecoveryCode(account, owner())
    codes.set(account, fresh!.reveal())
  }
  const isSettled = async (account: string) => {
    const slots = await bench.keyring.keyslots(account)
    return slots.filter(({ type }) => type === 'recovery').length === 1
  }
  await interruptEverywhere(
    make,
    reissue,
    async (account, isWhole) => {
      assert.ok(await opens(bench.keyring, account, PASSWORD))
      if (!isWhole && (await isSettled(account))) await reissue(account)
      const recovered = await bench.keyring.recover(account, Buffer.from(codes.get(account)!), Buffer.from(NEXT))
      assert.ok(recovered)
      assert.ok(await opens(bench.keyring, account, NEXT))
    },
    RENAMES,
  )
})

const PASSPHRASE = 'a passphrase besides'
const bothOf = () => ({ ...owner(), passphrase: Buffer.from(PASSPHRASE) })

/** What opens: the password alone, the password with the passphrase. */
async function openWays(account: string): Promise<readonly [boolean, boolean]> {
  const tried = async (how: { readonly passphrase?: Buffer }) => {
    const keys = await bench.keyring.unlock(account, Buffer.from(PASSWORD), how).catch((error) => {
      if (error instanceof PassphraseNeeded) return null
      throw error
    })
    await keys?.[Symbol.asyncDispose]()
    return keys !== null
  }
  return [await tried({}), await tried({ passphrase: Buffer.from(PASSPHRASE) })]
}

test('a passphrase set and ended, interrupted anywhere: the password opens, alone or with it', async () => {
  const setPassphrase = (account: string) => bench.keyring.setPassphrase(account, owner(), Buffer.from(PASSPHRASE))
  await interruptEverywhere(
    bench.account,
    setPassphrase,
    async (account, isWhole) => {
      const [, both] = await openWays(account)
      assert.equal(both, true, 'one that nobody wants is not looked at')
      if (isWhole) assert.deepEqual(await openWays(account), [false, true])
      await bench.keyring.setPassphrase(account, bothOf(), Buffer.from(PASSPHRASE))
      assert.deepEqual(await openWays(account), [false, true])
    },
    RENAMES,
  )
  const make = async (account: string) => {
    await bench.account(account)
    await setPassphrase(account)
  }
  const endPassphrase = (account: string) => bench.keyring.setPassphrase(account, bothOf(), null)
  await interruptEverywhere(
    make,
    endPassphrase,
    async (account, isWhole) => {
      const [, both] = await openWays(account)
      assert.equal(both, true)
      if (isWhole) assert.deepEqual(await openWays(account), [true, true])
      await endPassphrase(account)
      assert.deepEqual(await openWays(account), [true, true])
    },
    RENAMES,
  )
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
