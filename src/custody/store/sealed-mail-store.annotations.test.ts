/** Annotations at rest: nothing of them is in clear, they come under a new key, and two sessions lose nothing of each other's. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import { KeysNeeded } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

const ACCOUNT = 'alice0000000000000000001'
const ENTRIES = [['/private/canary-name', Buffer.from('canary value')]] as const
const around = { logger: silentLogger, clock: systemClock }

test('neither names nor values of annotations are on the disk', async () => {
  await using directory = await temporaryDirectory()
  const keys = new ChangingKeys()
  await keys.change()
  {
    const inner = createSqlMailStore({ dataDir: directory.path, ...around })
    await using store = createSealedMailStore(inner, { sealing: keys.sealing, ...around })
    await store.create(ACCOUNT)
    await using mail = await store.open(ACCOUNT, keys.reading())
    await mail.annotate(null, ENTRIES)
    await mail.annotate((await mail.mailboxes())[0]!.id, ENTRIES)
    assert.equal(Buffer.from((await mail.annotations(null)).get('/private/canary-name')!).toString(), 'canary value')
    await using locked = await store.open(ACCOUNT, null)
    await assert.rejects(locked.annotations(null), KeysNeeded)
  }
  for (const entry of readdirSync(directory.path, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      assert.ok(!readFileSync(`${entry.parentPath}/${entry.name}`).includes('canary'), `${entry.name} shows it`)
})

test('annotations of one place do not open in another', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const inner = createMemoryMailStore(systemClock)
  await using store = createSealedMailStore(inner, { sealing: keys.sealing, ...around })
  await store.create(ACCOUNT)
  await using mail = await store.open(ACCOUNT, keys.reading())
  await mail.annotate(null, ENTRIES)
  const raw = await inner.open(ACCOUNT, null)
  const { id } = (await mail.mailboxes())[0]!
  await raw.annotationPlace(id).replace(null, await raw.annotationPlace(null).read(), [])
  assert.equal((await mail.annotations(id)).size, 0)
})

test('after a change of key they are brought under the new one', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const inner = createMemoryMailStore(systemClock)
  await using store = createSealedMailStore(inner, { sealing: keys.sealing, ...around })
  await store.create(ACCOUNT)
  {
    await using mail = await store.open(ACCOUNT, keys.reading())
    await mail.annotate(null, ENTRIES)
  }
  await keys.change()
  const raw = await inner.open(ACCOUNT, null)
  const before = await raw.pages.keyName()
  {
    await using _session = await store.open(ACCOUNT, keys.reading())
    while ((await raw.pages.keyName()) === before) await nextTurn()
  }
  // Without the older key.
  await using mail = await store.open(ACCOUNT, keys.reading(1))
  assert.deepEqual([...(await mail.annotations(null)).keys()], ['/private/canary-name'])
})

test('two sessions that write at once lose nothing', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  await using store = createSealedMailStore(createMemoryMailStore(systemClock), { sealing: keys.sealing, ...around })
  await store.create(ACCOUNT)
  await using one = await store.open(ACCOUNT, keys.reading())
  await using other = await store.open(ACCOUNT, keys.reading())
  const name = (n: number) => `/private/${n}`
  const writes = [0, 1, 2, 3].map((n) => (n % 2 ? one : other).annotate(null, [[name(n), Buffer.of(n)]]))
  await Promise.all(writes)
  assert.deepEqual([...(await one.annotations(null)).keys()].sort(), [0, 1, 2, 3].map(name))
})
