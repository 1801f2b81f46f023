import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { formatAddress } from '#formats/message/address.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { address } from '../../../test/support/fake-mail.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { type MailForPickup, type Pickup, PickupFull } from './pickup.ts'
import { openPickupStore, type PickupOptions } from './pickup-store.ts'

const DAY = 86_400_000
const key = randomBytes(32)

const mail = (rest: Partial<MailForPickup> = {}): MailForPickup => ({
  queueId: 'q1',
  account: 'anna',
  author: address('anna@alpha.test'),
  recipient: address('canary-recipient@beta.test'),
  message: Buffer.from('From: canary-header\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n'),
  sessionKey: Buffer.from('canary-session-key'),
  ...rest,
})

async function withStore(
  options: Partial<PickupOptions>,
  run: (rig: Awaited<ReturnType<typeof open>>) => Promise<void>,
) {
  await using folder = await temporaryDirectory('pickup')
  const rig = await open(folder, options)
  await using _ = rig.store
  await run(rig)
}

async function open(folder: Awaited<ReturnType<typeof temporaryDirectory>>, options: Partial<PickupOptions> = {}) {
  const clock = createFakeClock()
  const log = createFakeLog()
  const store = await openPickupStore({ path: folder.join('pickup.db'), key, clock, logger: log, ...options })
  return { folder, clock, log, store }
}

test('mail is kept once per journey and recipient, is listed, read and dropped', () =>
  withStore({}, async ({ store, clock }) => {
    const id = await store.keep(mail())
    assert.equal(await store.keep(mail()), id)
    const other = await store.keep(mail({ recipient: address('bob@beta.test') }))
    const third = await store.keep(mail({ queueId: 'q2', account: 'carol', author: address('carol@alpha.test') }))
    const listed = await store.list()
    assert.deepEqual(listed.map((one) => one.id).sort(), [id, other, third].sort())
    const [first] = (await store.list('anna')).filter((one) => one.id === id)
    assert.deepEqual(first, {
      id,
      account: 'anna',
      author: address('anna@alpha.test'),
      recipient: address('canary-recipient@beta.test'),
      size: mail().message.length,
      arrived: clock.now(),
      expires: clock.now() + 30 * DAY,
    })
    assert.equal((await store.list('anna')).length, 2)
    const read = await store.read(id)
    assert.deepEqual(read, { message: mail().message, sessionKey: mail().sessionKey })
    assert.equal(await store.read('none'), null)
    assert.equal(await store.drop(id), true)
    assert.equal(await store.drop(id), false)
    assert.equal(await store.read(id), null)
  }))

test('nothing of a message, its key or its recipient is on the disk in clear, and another key opens none of it', () =>
  withStore({}, async ({ store, folder, clock, log }) => {
    const id = await store.keep(mail())
    for (const name of await readdir(folder.path))
      assert.equal((await readFile(folder.join(name))).includes('canary'), false, name)
    await using other = await openPickupStore({
      path: folder.join('pickup.db'),
      key: randomBytes(32),
      clock,
      logger: log,
    })
    assert.equal(await other.read(id), null)
    const [listed] = await other.list()
    assert.deepEqual([listed?.id, listed?.author, listed?.recipient], [id, null, null])
  }))

test('what is 30 days old is deleted once its author was told, and not before', async () => {
  const told: Pickup[] = []
  let isFull = false
  const tell = async (expired: Pickup) => {
    if (isFull && expired.account === 'anna') throw new Error('over quota')
    told.push(expired)
  }
  await withStore({ tell }, async ({ store, clock, log }) => {
    await store.keep(mail())
    await store.keep(mail({ account: 'carol', recipient: address('bob@beta.test') }))
    await clock.advance(DAY)
    await store.keep(mail({ queueId: 'q2' }))
    clock.set(clock.now() + 29 * DAY - 1)
    assert.equal(await store.expire(), 0)
    clock.set(clock.now() + 1)
    isFull = true
    assert.equal(await store.expire(), 1)
    assert.deepEqual(
      (await store.list()).map((one) => one.account),
      ['anna', 'anna'],
    )
    assert.equal(log.said('the author of a pickup was not told').length, 1)
    isFull = false
    assert.equal(await store.expire(), 1)
    assert.deepEqual(
      told.map((one) => one.recipient && formatAddress(one.recipient)),
      ['bob@beta.test', 'canary-recipient@beta.test'],
    )
    isFull = true
    clock.set(clock.now() + 8 * DAY)
    assert.equal(await store.expire(), 1, 'an author who cannot be told does not keep it for ever')
  })
})

test('one account cannot fill the disk', () =>
  withStore({ room: 100 }, async ({ store }) => {
    const message = Buffer.alloc(60)
    const id = await store.keep(mail({ message }))
    await assert.rejects(store.keep(mail({ message, queueId: 'q2' })), PickupFull)
    await store.keep(mail({ message, queueId: 'q2', account: 'carol' }))
    assert.equal(await store.keep(mail({ message })), id, 'what is there needs no more room')
    await store.drop(id)
    await store.keep(mail({ message, queueId: 'q2' }))
  }))
