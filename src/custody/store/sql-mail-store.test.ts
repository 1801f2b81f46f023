import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { contract } from './mail-store.contract.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

contract('the SQL mail store', async () => {
  const directory = await temporaryDirectory('store')
  const store = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
  return {
    store,
    keys: () => null,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
})
