import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { SealBroken } from './aead.ts'
import type { Keyslot } from './protocol/slot-table.ts'
import {
  carryScramLock,
  clientKeyIn,
  makeScramLock,
  openScramLock,
  proofOf,
  scramKeys,
  serverSignature,
} from './scram-lock.ts'

const TERMS = { salt: Buffer.alloc(16, 3), iterations: 4096 }
const PASSWORD = Buffer.from('8K3M-PQ2V-7W9X')
const NONE = Buffer.alloc(0)
const PLACE = { account: 'a', generation: 1 }
const SLOT: Keyslot = {
  id: 'slot',
  type: 'app',
  scope: 'imap',
  label: 'phone',
  created: 1,
  expires: null,
  sequence: 2,
  born: 1,
  kdf: { kind: 'hkdf', salt: NONE },
  verifier: NONE,
  publicKey: NONE,
  wrapped: NONE,
  scram: null,
}

test('RFC 7677 §3: keys, proof and signature', () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const keys = scramKeys(Buffer.from('pencil'), { salt, iterations: 4096 })
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const authMessage = Buffer.from(
    `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`,
  )
  const proof = proofOf(keys, authMessage)
  assert.equal(proof.toString('base64'), 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
  const signature = serverSignature(keys, authMessage).toString('base64')
  assert.equal(signature, '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  assert.deepEqual(clientKeyIn({ authMessage, proof }, keys.storedKey), keys.clientKey)
})

test('the right proof gives the key; a bit flipped anywhere, or another length, gives nothing', () => {
  const keys = scramKeys(PASSWORD, TERMS)
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.constantFrom(0, 1, 2),
      (said, at, where) => {
        const authMessage = Buffer.from(said)
        const storedKey = Buffer.from(keys.storedKey)
        const proof = proofOf(keys, authMessage)
        assert.ok(clientKeyIn({ authMessage, proof }, storedKey)?.equals(keys.clientKey))
        const changed = [authMessage, storedKey, proof][where]!
        changed[(at >> 3) % changed.length]! ^= 1 << (at & 7)
        assert.equal(clientKeyIn({ authMessage, proof }, storedKey), null)
      },
    ),
  )
  const authMessage = Buffer.from('x')
  for (const proof of [NONE, proofOf(keys, authMessage).subarray(1), Buffer.alloc(33)])
    assert.equal(clientKeyIn({ authMessage, proof }, keys.storedKey), null)
})

test('the lock opens to the ClientKey in its slot, generation and account, and as it was made', () => {
  const amk = randomBytes(32)
  const { clientKey } = scramKeys(PASSWORD, TERMS)
  const lock = makeScramLock(PLACE, SLOT, { password: PASSWORD, terms: TERMS }, amk)
  assert.deepEqual(openScramLock(PLACE, SLOT, lock, clientKey), amk)
  const broken = [
    () => openScramLock({ ...PLACE, account: 'b' }, SLOT, lock, clientKey),
    () => openScramLock({ ...PLACE, generation: 2 }, SLOT, lock, clientKey),
    () => openScramLock(PLACE, { ...SLOT, scope: 'imap,smtp' }, lock, clientKey),
    () => openScramLock(PLACE, { ...SLOT, expires: 5 }, lock, clientKey),
    () => openScramLock(PLACE, { ...SLOT, label: 'mine' }, lock, clientKey),
    () => openScramLock(PLACE, SLOT, { ...lock, iterations: 4097 }, clientKey),
    () => openScramLock(PLACE, SLOT, { ...lock, serverKey: randomBytes(32) }, clientKey),
    () => openScramLock(PLACE, SLOT, { ...lock, storedKey: randomBytes(32) }, clientKey),
    () => openScramLock(PLACE, SLOT, lock, randomBytes(32)),
  ]
  for (const open of broken) assert.throws(open, SealBroken)
})

test('another AMK is wrapped without the password, and opens to it', () => {
  const [before, after] = [randomBytes(32), randomBytes(32)]
  const { clientKey } = scramKeys(PASSWORD, TERMS)
  const scram = makeScramLock(PLACE, SLOT, { password: PASSWORD, terms: TERMS }, before)
  const into = { ...PLACE, generation: 2 }
  const carried = carryScramLock(into, { ...SLOT, scram }, after)!
  assert.deepEqual(openScramLock(into, SLOT, carried, clientKey), after)
  assert.throws(() => openScramLock(PLACE, SLOT, carried, clientKey), SealBroken)
  const proving = makeScramLock(PLACE, SLOT, { password: PASSWORD, terms: TERMS }, null)
  assert.deepEqual([proving.wrapped.byteLength, proving.publicKey.byteLength], [0, 0])
  assert.equal(openScramLock(PLACE, SLOT, proving, clientKey), null)
  assert.equal(carryScramLock(into, { ...SLOT, scram: proving }, after), proving)
  assert.equal(carryScramLock(into, SLOT, after), null)
})
