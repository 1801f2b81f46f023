/** Keys that come, go and take over from each other: nothing that could be read is lost, wherever a change is interrupted. */
import assert from 'node:assert/strict'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import type { Directory } from '#custody/accounts/directory.ts'
import { sealingOf } from '#custody/accounts/sealing.ts'
import type { Disk } from '#custody/keyring/durable-files.ts'
import { withModernSubkey } from '#formats/openpgp/add-subkey.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { keyringBench, PASSWORD } from '../support/vault-keyring.ts'

class PowerCut extends Error {}

/**
 * The steps that count are those that something becomes visible with: a file that gets its name, a change of the directory. Between
 * two of them it does not matter where the power goes.
 */
class Power implements Disk {
  left = Number.POSITIVE_INFINITY
  #spend(): void {
    if (this.left-- <= 0) throw new PowerCut()
  }
  async writeNew(path: string, content: Uint8Array): Promise<void> {
    await writeFile(path, content, { flag: 'wx' })
  }
  async rename(from: string, to: string): Promise<void> {
    this.#spend()
    await rename(from, to)
  }
  async syncFolder(): Promise<void> {}

  directory(inner: Directory): Directory {
    return new Proxy(inner, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          if (/^(add|use|replace|revoke)Certificate$/.test(String(name))) this.#spend()
          return Reflect.apply(member, target, args)
        }
      },
    })
  }
}

const power = new Power()
const bench = await keyringBench()
const keyring = await bench.another({ disk: power, directory: power.directory(bench.directory) })
after(async () => {
  await keyring[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

const owner = () => ({ password: Buffer.from(PASSWORD) })
const wishOf = (account: string) => ({ userIds: [`<${account}@alpha.test>`], algorithm: 'curve25519' }) as const
const ownKey = (account: string) =>
  generateKeys({ userId: `<${account}@alpha.test>`, algorithm: 'curve25519', created: new Date(Date.now() - 60_000) })
const importOf = (account: string, tsk: Uint8Array) => ({
  tsk: Buffer.from(tsk),
  keyPassphrase: null,
  use: 'both' as const,
  addsSubkey: false,
  addresses: [`${account}@alpha.test`],
})

/** One that arrives now: there is something to seal it to at every moment. */
async function received(account: string): Promise<Uint8Array> {
  const { certificate } = await sealingOf(bench.directory, account)
  assert.ok(certificate, 'mail can be sealed')
  return splitMessage(seal(parseCertificate(certificate).encryptionKeys, Buffer.from('x')).message).pkesks[0]!
}

async function readsAll(account: string, mail: readonly Uint8Array[]): Promise<void> {
  await using keys = await keyring.unlock(account, Buffer.from(PASSWORD))
  assert.ok(keys, 'the password opens')
  const found = await keys.sessionKeys(mail)
  assert.ok(
    found.every((one) => one !== null),
    'all mail opens',
  )
}

/** The directory says what the table says. */
async function isTold(account: string): Promise<void> {
  const facts = await keyring.custody(account)
  const certificates = await bench.directory.certificates(account)
  assert.equal(certificates.find((one) => one.current)?.fingerprint, facts.current)
  assert.equal(certificates.find((one) => one.endToEnd)?.fingerprint, facts.endToEnd)
}

/** Nothing is left to do. */
async function isSettled(account: string): Promise<void> {
  await isTold(account)
  const names = await readdir(bench.folder.join('accounts', account), { recursive: true })
  assert.ok(!names.includes('intent'))
  assert.ok(!names.some((name) => name.endsWith('.renewed')))
}

/** Stops the change at each of its steps in turn; after each, everything opens, and the change can be made. */
async function stopEverywhere(
  name: string,
  make: (account: string) => Promise<unknown>,
  change: (account: string) => Promise<unknown>,
): Promise<number> {
  for (let step = 0; ; step++) {
    const account = `${name}${step}`
    await make(account)
    const mail = [await received(account)]
    power.left = step
    let isWhole = true
    await change(account).catch((error) => {
      if (!(error instanceof PowerCut)) throw error
      isWhole = false
    })
    power.left = Number.POSITIVE_INFINITY
    mail.push(await received(account))
    await readsAll(account, mail)
    await isTold(account)
    if (!isWhole) await change(account)
    mail.push(await received(account))
    await readsAll(account, mail)
    await isSettled(account)
    if (isWhole) return step
  }
}

test('a rotation stopped anywhere is not done or is finished by the next login', async () => {
  const steps = await stopEverywhere('rotate', bench.account, (account) =>
    keyring.rotateKey(account, owner(), wishOf(account)),
  )
  assert.ok(steps >= 8, `${steps} steps`)
})

test('an import that takes over, stopped anywhere, is not done or is finished by the next login', async () => {
  const keys = new Map<string, Buffer>()
  const make = async (account: string) => {
    await bench.account(account)
    keys.set(account, (await ownKey(account)).secret)
  }
  const steps = await stopEverywhere('import', make, (account) =>
    keyring.importKey(account, owner(), importOf(account, keys.get(account)!)),
  )
  assert.ok(steps >= 7, `${steps} steps`)
})

test('a key in use whose owner renewed its certificate, stopped anywhere, goes on with the old or the new one', async () => {
  const keys = new Map<string, Buffer>()
  const make = async (account: string) => {
    await bench.account(account)
    const { secret } = await ownKey(account)
    keys.set(account, (await withModernSubkey(secret, Date.now() - 30_000)).secret)
    assert.ok(await keyring.importKey(account, owner(), importOf(account, secret)))
  }
  const steps = await stopEverywhere('renew', make, (account) =>
    keyring.importKey(account, owner(), importOf(account, keys.get(account)!)),
  )
  assert.ok(steps >= 6, `${steps} steps`)
})

test('device mode and back, stopped anywhere: others write to one of the two that its owner chose', async () => {
  const certificates = new Map<string, Buffer>()
  const make = async (account: string) => {
    await bench.account(account)
    certificates.set(account, (await ownKey(account)).certificate)
  }
  const toDevice = (account: string) =>
    keyring.useDeviceCertificate(account, owner(), certificates.get(account)!, [`${account}@alpha.test`])
  await stopEverywhere('device', make, toDevice)
  const makeDevice = async (account: string) => {
    await make(account)
    await toDevice(account)
  }
  await stopEverywhere('back', makeDevice, (account) => keyring.useManaged(account, owner(), wishOf(account)))
})
