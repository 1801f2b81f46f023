import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { LoginBrakes } from './login-brakes.ts'

const wrong = (ip: string, name: string) => ({ kind: 'wrong', ip, name }) as const

/** Guesses at once from there; how many were tried, and the most at a time. */
async function guessAtOnce(brakes: LoginBrakes, ips: readonly string[]): Promise<{ tried: number; atOnce: number }> {
  let [tried, trying, atOnce] = [0, 0, 0]
  const guess = async (ip: string, at: number) => {
    using turn = await brakes.turn(ip, `guess${at}`)
    if (!turn) return
    tried++
    trying++
    atOnce = Math.max(atOnce, trying)
    await setImmediate()
    trying--
    await brakes.count(wrong(ip, `guess${at}`))
  }
  await Promise.all(ips.map(guess))
  return { tried, atOnce }
}

test('guesses that come at once are no more than those that come one after the other', async () => {
  const brakes = new LoginBrakes(6)
  assert.deepEqual(await guessAtOnce(brakes, Array<string>(50).fill('192.0.2.1')), { tried: 6, atOnce: 2 })
  assert.equal(await brakes.turn('192.0.2.1', 'ann'), null)
  assert.ok(await brakes.turn('192.0.2.2', 'ann'))
})

test('an IPv6 host has no more guesses for all the addresses that it can have', async () => {
  const brakes = new LoginBrakes(3)
  const addresses = Array.from({ length: 40 }, (_, at) => `2001:db8:0:1:${at}::1`)
  assert.equal((await guessAtOnce(brakes, addresses)).tried, 3)
  assert.ok(await brakes.turn('2001:db8:0:2::1', 'ann'))
})

test('who is right waits for no more than a turn, however many come', async () => {
  const brakes = new LoginBrakes(3)
  let welcome = 0
  const login = async () => {
    using turn = await brakes.turn('192.0.2.1', 'ann')
    await setImmediate()
    if (turn) welcome++
  }
  await Promise.all(Array.from({ length: 50 }, login))
  assert.equal(welcome, 50)
})

test('a name that is braked holds up nobody who waits behind it', async () => {
  const brakes = new LoginBrakes(3)
  for (let at = 0; at < 30; at++) await brakes.count(wrong(`192.0.2.${at}`, 'ann'))
  const first = await Promise.all(['a', 'b'].map((name) => brakes.turn('198.51.100.1', name)))
  const isLetIn = async (name: string) => {
    using turn = await brakes.turn('198.51.100.1', name)
    return turn !== null
  }
  const waiting = Promise.all(['d', 'ann', 'e', 'f'].map(isLetIn))
  await setImmediate()
  for (const turn of first) turn?.[Symbol.dispose]()
  assert.deepEqual(await waiting, [true, false, true, true])
})
