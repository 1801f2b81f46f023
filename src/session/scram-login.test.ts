/** The desk over a keyring that knows one app password: who is let in by SCRAM, who is counted, and how long everybody waits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { SubmissionAgent } from '#agents/submission/submission.ts'
import type { Account, Directory } from '#custody/accounts/directory.ts'
import type { Keyring, ScramProof, UnlockedKeys } from '#custody/keyring/keyring.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { clientKeyIn, scramKeys, serverSignature } from '#custody/vault/scram-lock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { ScramClient } from '../../test/support/scram.ts'
import { createSessionDesk } from './session-desk.ts'

const NOW = Date.UTC(2026, 10, 2)
const ALICE = 'alice@alpha.test'
const PASSWORD = 'ABCD-EFGH'
const TERMS = { salt: Buffer.alloc(16, 9), iterations: 4096 }

function desk(state: Account['state'] = 'active') {
  const clock = createFakeClock(NOW)
  const account: Account = {
    id: 'alice',
    address: { local: 'alice', domain: 'alpha.test' },
    state,
    created: 0,
    quota: null,
  }
  const known = scramKeys(Buffer.from(PASSWORD), TERMS)
  const keys: UnlockedKeys = {
    ...{ account: 'alice', reads: true, signs: true, slot: 's', openings: [] },
    olderIndexKeys: async () => [],
    sessionKeys: async () => [],
    indexKey: async () => Buffer.alloc(32),
    sign: async () => Buffer.alloc(0),
    ended: new AbortController().signal,
    async [Symbol.asyncDispose]() {},
  }
  const house = { asked: [] as (string | null)[], isUsed: true, isBroken: false }
  const keyring = {
    get scramIsUsed() {
      return house.isUsed
    },
    async scramTerms() {
      if (house.isBroken) throw new Error('disk')
      return TERMS
    },
    async unlockByProof(id: string | null, shown: ScramProof) {
      house.asked.push(id)
      const clientKey = id && clientKeyIn(shown, known.storedKey)
      return clientKey ? { keys, signature: serverSignature(known, shown.authMessage) } : null
    },
  } as unknown as Keyring
  const made = createSessionDesk({
    keyring,
    clock,
    directory: { accountByLogin: async (user: string) => (user === ALICE ? account : null) } as unknown as Directory,
    store: createMemoryMailStore(),
    submission: {} as SubmissionAgent,
    logger: silentLogger,
    metrics: noMetrics,
    failedLogins: 3,
    now: () => NOW,
  })
  /** The answer, and the milliseconds that it took. */
  async function timed<T>(work: Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
    const begun = clock.now()
    const box: { answer?: T } = {}
    void work.then((answer) => Object.assign(box, { answer }))
    for (let turn = 0; turn < 500 && !('answer' in box); turn++) {
      await setImmediate()
      if (turn >= 50) await clock.advance(1)
    }
    assert.ok('answer' in box)
    return { answer: box.answer as T, ms: clock.now() - begun }
  }
  async function login(user: string, password: string, ip = '192.0.2.1') {
    const client = new ScramClient(user, password)
    const clientFirst = Buffer.from(client.first, 'base64')
    const begun = await timed(made.beginScram({ clientFirst, protocol: 'imap', ip }))
    if (begun.answer.kind !== 'challenge') return { kind: begun.answer.kind, ms: [begun.ms] }
    const final = client.final(begun.answer.challenge.toString('base64'))
    const finished = await timed(begun.answer.finish(Buffer.from(final, 'base64')))
    return { kind: finished.answer.kind, ms: [begun.ms, finished.ms] }
  }
  return { house, login, offers: (ip: string) => made.offersScram(ip), clock }
}

test('who knows the app password is let in at once; a wrong one, nobody and a suspended account hear the same after the same time', async () => {
  const { login, house } = desk()
  assert.deepEqual(await login(ALICE, PASSWORD), { kind: 'welcome', ms: [10, 0] })
  const refusal = { kind: 'refused', ms: [10, 100] }
  assert.deepEqual(await login(ALICE, 'wrong'), refusal)
  assert.deepEqual(await login('nobody@alpha.test', PASSWORD), refusal)
  assert.deepEqual(house.asked, ['alice', 'alice', null], 'the keyring works for unknown names too')
  assert.deepEqual(await desk('suspended').login(ALICE, PASSWORD), refusal)
})

test('failures are counted as they are for passwords', async () => {
  const { login, house } = desk()
  for (let at = 0; at < 3; at++) assert.equal((await login(`guess${at}@alpha.test`, 'x')).kind, 'refused')
  const before = house.asked.length
  assert.equal((await login(ALICE, PASSWORD)).kind, 'unavailable')
  assert.equal(house.asked.length, before)
  assert.equal((await login(ALICE, PASSWORD, '192.0.2.2')).kind, 'welcome')
})

test('it is offered where an app password is, and not to who failed by it today', async () => {
  const { login, house, offers, clock } = desk()
  house.isUsed = false
  assert.equal(offers('192.0.2.1'), false)
  house.isUsed = true
  assert.equal(offers('192.0.2.1'), true)
  await login(ALICE, 'my own password')
  assert.deepEqual([offers('192.0.2.1'), offers('192.0.2.2')], [false, true])
  await login(ALICE, PASSWORD)
  assert.equal(offers('192.0.2.1'), true)
  await login(ALICE, 'my own password')
  clock.set(NOW + 2 * 86_400_000)
  assert.equal(offers('192.0.2.1'), true)
})

test('trouble of ours is no refusal', async () => {
  const { login, house, offers } = desk()
  house.isBroken = true
  assert.equal((await login(ALICE, PASSWORD)).kind, 'unavailable')
  assert.equal(offers('192.0.2.1'), true)
})
