import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { address } from '../../../test/support/fake-mail.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { pickupSource } from './pickup-source.ts'
import { openPickupStore } from './pickup-store.ts'

const HOUR = 3_600_000

test('a store is opened when it is needed and not before, looked at every hour, and closed for good', async () => {
  await using folder = await temporaryDirectory('pickup')
  const clock = createFakeClock()
  const log = createFakeLog()
  const path = folder.join('pickup.db')
  let opened = 0
  const told = Promise.withResolvers<void>()
  const open = async () => {
    if (++opened === 1) throw new Error('no memory')
    return openPickupStore({ path, key: randomBytes(32), clock, logger: log, tell: async () => told.resolve() })
  }
  const source = pickupSource({ path, open, clock, logger: log })
  await clock.advance(3 * HOUR)
  assert.equal(opened, 0)
  await assert.rejects(source.store(), /no memory/)
  const store = await source.store()
  assert.equal(await source.store(), store)
  assert.equal(opened, 2)
  await store.keep({
    queueId: 'q1',
    account: 'anna',
    author: address('anna@alpha.test'),
    recipient: address('bob@beta.test'),
    message: Buffer.from('sealed'),
    sessionKey: Buffer.from('key'),
  })
  clock.set(clock.now() + 30 * 24 * HOUR)
  await clock.advance(HOUR)
  await told.promise
  await source[Symbol.asyncDispose]()
  assert.equal(clock.waiting, 0)
  await assert.rejects(source.store(), /stopping/)

  await using later = pickupSource({ path, open, clock, logger: log })
  await clock.advance(HOUR)
  assert.equal(opened, 3, 'there is a file now')
  assert.deepEqual(await (await later.store()).list(), [])
  assert.deepEqual(log.lines, [])
})
