import { after } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { contract } from './mail-store.contract.ts'
import { readingKeys, sealingOf } from './sealed-keys.contract.ts'
import { createStorePool } from './store-pool.ts'

const directory = await temporaryDirectory('store')
const pool = createStorePool({
  dataDir: directory.path,
  workers: 2,
  sealing: sealingOf,
  clock: systemClock,
  logger: silentLogger,
  indexesTexts: true,
})
after(async () => {
  await pool[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

contract('the store pool', async () => ({ store: pool, keys: readingKeys, async [Symbol.asyncDispose]() {} }))
