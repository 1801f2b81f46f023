/** Every way in which a session's hold on the keys ends, and that the vault holds nothing after it. The vault's death: vault-keyring.test.ts. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { keyringBench, PASSWORD } from '../../../test/support/vault-keyring.ts'
import { SessionEnded, type UnlockedKeys } from './keyring.ts'

const clock = createFakeClock()
const IDLE_MS = 60_000
const bench = await keyringBench({ clock, idleMs: IDLE_MS })
after(() => bench[Symbol.asyncDispose]())
const { keyring } = bench
await bench.account('a1')

async function unlocked(): Promise<UnlockedKeys> {
  const keys = await keyring.unlock('a1', Buffer.from(PASSWORD))
  assert.ok(keys)
  assert.equal((await keyring.status()).accounts, 1)
  return keys
}

async function hasEnded(keys: UnlockedKeys): Promise<void> {
  await assert.rejects(keys.indexKey(), SessionEnded)
  const { handles, accounts } = await keyring.status()
  assert.deepEqual({ handles, accounts }, { handles: 0, accounts: 0 })
}

test('logout', async () => {
  const keys = await unlocked()
  await keys[Symbol.asyncDispose]()
  assert.equal(keys.ended.aborted, false, 'its own doing is no news')
  await hasEnded(keys)
})

test('suspension and removal, which end all sessions of the account', async () => {
  const [keys, others] = [await unlocked(), await unlocked()]
  await keyring.endSessions('a1')
  for (const one of [keys, others]) assert.ok(one.ended.reason instanceof SessionEnded)
  await hasEnded(keys)
})

test('nobody uses it: once the time is over, and not before', async () => {
  const keys = await unlocked()
  await clock.advance(IDLE_MS - 1)
  await keys.indexKey()
  await clock.advance(IDLE_MS - 1)
  assert.equal(keys.ended.aborted, false)
  await clock.advance(1)
  assert.ok(keys.ended.reason instanceof SessionEnded)
  await hasEnded(keys)
})
