import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { contract } from './mail-store.contract.ts'
import { certificateOf, readingKeys } from './sealed-accounts.fixture.ts'
import { createStorePool } from './store-pool.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'letterlock-store-'))
const pool = createStorePool({
  dataDir,
  workers: 2,
  certificate: certificateOf,
  clock: systemClock,
  logger: silentLogger,
})
after(async () => {
  await pool[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true })
})

contract('the store pool', async () => ({ store: pool, keys: readingKeys, async [Symbol.asyncDispose]() {} }))
