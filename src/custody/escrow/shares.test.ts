import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readShare, SHARE_TEXT_MAX, writeShare } from './share-text.ts'
import { combineShares, newLockSecret, passphraseOf, type Share, SharesRefused, splitSecret } from './shares.ts'

const FINGERPRINT = 'A'.repeat(40)
const facts = { fingerprint: FINGERPRINT, name: 'Escrow of alpha.test', made: Date.UTC(2026, 0, 15) }
const secret = newLockSecret()
const set = () => splitSecret(secret, { shares: 3, threshold: 2 }, FINGERPRINT)

const refusal = (why: SharesRefused['why']) => (error: unknown) => {
  assert.ok(error instanceof SharesRefused, String(error))
  assert.equal(error.why, why, error.message)
  return true
}

test('any two of three make the secret whole, read from paper', async () => {
  const read = (await set()).map((share) => readShare(writeShare(share, facts), 'a file'))
  assert.deepEqual(
    read.map(({ number }) => number),
    [1, 2, 3],
  )
  for (const leftOut of [0, 1, 2, 3]) {
    const given = read.filter((_, index) => index !== leftOut)
    assert.deepEqual(await combineShares(given, FINGERPRINT), secret)
  }
  assert.match(passphraseOf(secret).toString('latin1'), /^([0-9A-Z]{4}-){12}[0-9A-Z]{4}$/)
})

test('splitting and combining are inverses for every size', async () => {
  const sizes = fc
    .tuple(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 2, max: 20 }))
    .filter(([shares, threshold]) => threshold <= shares)
  const property = fc.asyncProperty(sizes, fc.uint8Array({ minLength: 32, maxLength: 32 }), async (size, octets) => {
    const [shares, threshold] = size
    const given = await splitSecret(octets, { shares, threshold }, FINGERPRINT)
    const read = given.map((share) => readShare(writeShare(share, facts), 'x'))
    assert.deepEqual(await combineShares(read.slice(-threshold), FINGERPRINT), Buffer.from(octets))
  })
  await fc.assert(property, { numRuns: 20 })
})

test('shares that do not make a lock are refused by name', async () => {
  const [one, two] = (await set()) as [Share, Share]
  const [other] = (await splitSecret(newLockSecret(), { shares: 3, threshold: 2 }, FINGERPRINT)) as [Share]
  const changed = { ...two, octets: Buffer.from(two.octets).fill(7, 0, 8) }
  await assert.rejects(combineShares([], FINGERPRINT), refusal('too few'))
  await assert.rejects(combineShares([one], FINGERPRINT), refusal('too few'))
  await assert.rejects(combineShares([one, one], FINGERPRINT), refusal('duplicate'))
  await assert.rejects(combineShares([one, other], FINGERPRINT), refusal('other set'))
  await assert.rejects(combineShares([one, { ...two, threshold: 3 }], FINGERPRINT), refusal('other set'))
  await assert.rejects(combineShares([one, two], 'B'.repeat(40)), refusal('other key'))
  await assert.rejects(combineShares([one, changed], FINGERPRINT), refusal('other key'))
})

test('every mistyped character is found; case, spaces and O for 0 do not matter', async () => {
  const [share] = (await set()) as [Share]
  const text = writeShare(share, facts).toString()
  const code = text.split('\n').filter((line) => /^ {4}[0-9A-Z-]+$/.test(line))
  assert.equal(code.length, 4)
  const plain = code.join('\n').replaceAll(/[ -]/g, '').replaceAll('\n', '')
  assert.equal(plain.length, 95)
  const grouped = (letters: string) => letters.replace(/.{5}/g, '$& ').replace(/(.{30})/g, '$1\n')
  assert.deepEqual(
    readShare(Buffer.from(grouped(plain.toLowerCase().replaceAll('0', 'o'))), 'typed').octets,
    Buffer.from(share.octets),
  )
  for (let index = 0; index < plain.length; index++) {
    const wrong = plain[index] === '7' ? '8' : '7'
    const typed = plain.slice(0, index) + wrong + plain.slice(index + 1)
    assert.throws(() => readShare(Buffer.from(grouped(typed)), 'typed'), refusal('mistyped'))
  }
  assert.throws(() => readShare(Buffer.from(text.replace(code[1]!, '')), 'cut'), refusal('mistyped'))
})

test('anything else is no share', () => {
  const octets = fc.uint8Array({ maxLength: 400 })
  fc.assert(
    fc.property(octets, (text) => {
      assert.throws(() => readShare(text, 'x'), refusal('mistyped'))
    }),
    { numRuns: 100 },
  )
  assert.throws(() => readShare(Buffer.alloc(SHARE_TEXT_MAX + 1, 'A'), 'x'), refusal('mistyped'))
})
