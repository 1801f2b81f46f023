import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import { AccountKeysDamaged } from './keyring.ts'

const bench = await keyringBench()
after(() => bench[Symbol.asyncDispose]())

const unlock = (account: string) => bench.keyring.unlock(account, Buffer.from(PASSWORD))
const pathOf = (account: string, ...names: string[]) => bench.folder.join('accounts', account, ...names)

async function opens(account: string): Promise<void> {
  const keys = await unlock(account)
  assert.ok(keys)
  await keys[Symbol.asyncDispose]()
}

/** Changes the JSON of a file and makes its checksum right again, as somebody would who can write to the disk. */
async function forge(path: string, change: (fields: never) => void): Promise<void> {
  const fields = JSON.parse((await readFile(path, 'latin1')).split('\n')[0]!)
  change(fields as never)
  const line = JSON.stringify(fields)
  await writeFile(path, `${line}\n${hash('sha256', line)}\n`)
}

async function forgeTable(account: string, change: (fields: never) => void): Promise<void> {
  for (const name of ['keyslots.a', 'keyslots.b']) await forge(pathOf(account, name), change)
}

const refused = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AccountKeysDamaged, String(error))
  assert.match(error.message, message)
  return true
}

test('a damaged or missing copy of the keyslots is repaired from the good one', async () => {
  await bench.account('repair')
  const [a, b] = [pathOf('repair', 'keyslots.a'), pathOf('repair', 'keyslots.b')]
  const good = await readFile(a)
  for (const path of [a, b]) {
    for (const damage of [
      () => writeFile(path, good.subarray(0, 100)),
      () => writeFile(path, Buffer.alloc(good.length)),
      () => rm(path),
      () => writeFile(path, Buffer.from(good).fill(0x20, 50, 51)),
    ]) {
      await damage()
      await opens('repair')
      assert.deepEqual(await readFile(path), good)
    }
  }
})

test('both copies damaged: a clear error for this account, and others go on', async () => {
  await bench.account('damaged')
  await bench.account('others')
  for (const name of ['keyslots.a', 'keyslots.b']) await writeFile(pathOf('damaged', name), 'x')
  await assert.rejects(unlock('damaged'), refused(/keyslots\.a and .*keyslots\.b.*Restore.*backup/))
  await opens('others')
})

test('an older copy never wins over a newer one', async () => {
  await bench.account('older')
  const old = await readFile(pathOf('older', 'keyslots.a'))
  await bench.keyring.changePassword('older', Buffer.from(PASSWORD), Buffer.from('new password'))
  await writeFile(pathOf('older', 'keyslots.a'), old)
  assert.equal(await unlock('older'), null)
})

test('a keyslot table that was changed by somebody is refused, whatever was changed', async () => {
  await bench.account('forged')
  const files = ['keyslots.a', 'keyslots.b'].map((name) => pathOf('forged', name))
  const good = await readFile(files[0]!)
  type Forged = {
    sequence: number
    generation: number
    current: string
    digest: string
    mac: string
    slots: { scope: string; created: number; id: string; type: string; wrapped: string; sequence: number }[]
    parked: unknown[]
  }
  const changes: readonly ((table: Forged) => void)[] = [
    (table) => table.sequence++,
    (table) => {
      table.current = 'A'.repeat(40)
    },
    (table) => {
      table.mac = Buffer.alloc(32).toString('base64')
    },
    (table) => {
      table.digest = Buffer.alloc(32).toString('base64')
    },
    (table) => {
      table.slots[0]!.scope = 'mail'
    },
    (table) => table.slots[0]!.created++,
    (table) => table.slots[0]!.sequence++,
    (table) => {
      table.slots[0]!.wrapped = table.slots[1]!.wrapped
    },
    (table) => table.slots.pop(),
    (table) => table.parked.push({ generation: 0, digest: table.digest, slots: [] }),
  ]
  for (const change of changes) {
    await forgeTable('forged', change as (fields: never) => void)
    await assert.rejects(unlock('forged'), AccountKeysDamaged, String(change))
    for (const file of files) await writeFile(file, good)
  }
  await opens('forged')
})

test('keyslots and keys of one account are of no use in the folder of another', async () => {
  const mine = await bench.account('mine')
  await bench.account('theirs')
  for (const name of ['keyslots.a', 'keyslots.b']) await copyFile(pathOf('mine', name), pathOf('theirs', name))
  await assert.rejects(unlock('theirs'), AccountKeysDamaged)
  await forgeTable('theirs', (table: { account: string }) => {
    table.account = 'theirs'
  })
  const key = `${mine.certificate.fingerprint}.locked`
  await copyFile(pathOf('mine', 'keys', key), pathOf('theirs', 'keys', key))
  const opened = await unlock('theirs').catch((error: unknown) => error)
  assert.ok(opened === null || opened instanceof AccountKeysDamaged)
  await opens('mine')
})

test('a locked key that was changed, exchanged or lost is refused', async () => {
  await bench.account('locked')
  const [name] = await readdir(pathOf('locked', 'keys'))
  const path = pathOf('locked', 'keys', name!)
  const good = await readFile(path)
  await forge(path, (key: { locked: string }) => {
    const octets = Buffer.from(key.locked, 'base64')
    octets[octets.length - 5]! ^= 1
    key.locked = octets.toString('base64')
  })
  await assert.rejects(unlock('locked'), refused(/does not belong to its certificate/))
  await writeFile(path, good.subarray(0, 200))
  await assert.rejects(unlock('locked'), refused(/is damaged/))
  await rm(path)
  await assert.rejects(unlock('locked'), AccountKeysDamaged)
  await writeFile(path, good)
  await opens('locked')
})

test('a certificate that somebody put into the directory does not open the key', async () => {
  const own = await bench.account('exchanged')
  const strange = await bench.account('strange')
  const { certificate } = strange.certificate
  await bench.directory.addCertificate('exchanged', { ...strange.certificate, since: 9 })
  await assert.rejects(unlock('exchanged'), refused(/for which the account has no key/))
  await bench.directory.removeAccount('exchanged')
  const account = { id: 'exchanged', address: { local: 'exchanged', domain: 'alpha.test' }, created: 1, quota: null }
  // The same fingerprint, other octets: what an added user id or subkey would be.
  const changed = {
    ...own.certificate,
    certificate: Buffer.concat([own.certificate.certificate, certificate.subarray(-10)]),
  }
  await bench.directory.addAccount({ ...account, state: 'active' }, changed)
  await assert.rejects(unlock('exchanged'), AccountKeysDamaged)
})
