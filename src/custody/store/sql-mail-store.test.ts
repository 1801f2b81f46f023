import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { contract } from './mail-store.contract.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

contract('the SQL mail store', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'letterlock-store-'))
  const store = createSqlMailStore({ dataDir, clock: systemClock, logger: silentLogger })
  return {
    store,
    keys: () => null,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
})
