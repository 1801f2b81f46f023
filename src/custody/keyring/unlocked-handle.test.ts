import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { SessionEnded, VaultBusy } from './keyring.ts'
import { largeContentsGate, UnlockedHandle } from './unlocked-handle.ts'
import type { VaultProcess } from './vault-process.ts'

const facts = { handle: 1, slot: 's', reads: true, signs: true, openings: [], expires: null }

function opened(idleMs: number, expiresIn: number | null = null) {
  const clock = createFakeClock()
  const asked: string[] = []
  const call = async (name: string) => {
    asked.push(name)
    return name === 'indexKeys' ? [Buffer.alloc(32)] : {}
  }
  const vault = { call } as unknown as VaultProcess
  const ends: UnlockedHandle[] = []
  const onEnd = (handle: UnlockedHandle) => ends.push(handle)
  const duties = {
    vault,
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    largeContents: largeContentsGate(),
    idleMs,
    onEnd,
  }
  const expires = expiresIn === null ? null : clock.now() + expiresIn
  return { clock, asked, ends, handle: new UnlockedHandle('a', { ...facts, expires }, duties) }
}

test('a handle that asks for nothing ends, tells its session and the vault, once', async () => {
  const { clock, asked, ends, handle } = opened(1000)
  await clock.advance(900)
  await handle.indexKey()
  await clock.advance(999)
  assert.equal(handle.ended.aborted, false)
  await clock.advance(1)
  assert.ok(handle.ended.reason instanceof SessionEnded)
  await handle[Symbol.asyncDispose]()
  assert.deepEqual(asked, ['indexKeys', 'close'])
  assert.deepEqual(ends, [handle])
  await assert.rejects(handle.indexKey(), SessionEnded)
  assert.equal(clock.waiting, 0)
})

test('a session that leaves takes its timer along, and without a limit there is none', async () => {
  const left = opened(1000)
  await left.handle[Symbol.asyncDispose]()
  assert.equal(left.clock.waiting, 0)
  assert.equal(left.handle.ended.aborted, false)
  const endless = opened(0)
  assert.equal(endless.clock.waiting, 0)
})

test('a handle ends with the app password that it came in by, however far away that is', async () => {
  const { clock, asked, ends, handle } = opened(0, 90 * 86_400_000)
  await clock.advance(90 * 86_400_000 - 1)
  assert.equal(handle.ended.aborted, false)
  await clock.advance(1)
  assert.ok(handle.ended.reason instanceof SessionEnded)
  assert.deepEqual(asked, ['close'], 'the others of the account live on')
  assert.deepEqual(ends, [handle])
  assert.equal(clock.waiting, 0)
  const left = opened(0, 1000)
  await left.handle[Symbol.asyncDispose]()
  assert.equal(left.clock.waiting, 0)
})

test('large contents are signed one at a time, small ones beside them, and there is an end to waiting', async () => {
  const turns: PromiseWithResolvers<object>[] = []
  const call = async () => {
    turns.push(Promise.withResolvers())
    return turns.at(-1)!.promise
  }
  const { clock } = opened(0)
  const duties = {
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    largeContents: largeContentsGate(),
    onEnd: () => {},
  }
  const vault = { call } as unknown as VaultProcess
  const handle = new UnlockedHandle('a', { ...facts, expires: null }, { ...duties, vault })
  const large = Buffer.alloc((1 << 20) + 1)
  const waiting = Array.from({ length: 33 }, () => handle.sign(large, 0))
  await assert.rejects(handle.sign(large, 0), VaultBusy)
  const small = handle.sign(Buffer.alloc(9), 0)
  assert.equal(turns.length, 2, 'the first large one and the small one')
  turns[1]!.resolve({ signature: 'small' })
  assert.equal(await small, 'small')
  for (const [index, one] of waiting.entries()) {
    turns[index === 0 ? 0 : index + 1]!.resolve({ signature: index })
    assert.equal(await one, index)
    await new Promise(setImmediate)
    assert.equal(turns.length, Math.min(index + 3, 34))
  }
})
