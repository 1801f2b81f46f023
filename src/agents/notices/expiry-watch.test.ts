import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StoredCertificate } from '#custody/accounts/directory.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { createMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { stageAt, usableUntil, watchExpiry } from './expiry-watch.ts'
import { expiryNotice } from './expiry-words.ts'
import type { Notice } from './notices.ts'

const DAY = 86_400_000

/** Made with GnuPG 2.2 on 2026-10-01: the primary key lasts 90 days, its only subkey to seal to 60. */
const EXPIRING = Buffer.from(`-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEar2igBYJKwYBBAHaRw8BAQdASz2XZ5elLZM5X51IaAgdjnnkTIjrDi7YcEOU
4p9V8n20D2FubmFAYWxwaGEudGVzdIiWBBMWCAA+FiEEJQWFVk5cnSJDpAlMLPik
5GSQZboFAmq9ooACGwEFCQB2pwAFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
LPik5GSQZbpRzAEA5eBV0Aufqr3dHfBqz3/3iPF6fySymHPNlrMTaicZNjQA/iSM
h5g+DqXZAV+xMjniZscWk3NXc5FcVYD9C/lFjCoFuDgEar2igBIKKwYBBAGXVQEF
AQEHQJA/I4Kuz425HQ7B9DxS9J9t1P7X2SnCyyYATicUwHU2AwEIB4h+BBgWCAAm
FiEEJQWFVk5cnSJDpAlMLPik5GSQZboFAmq9ooACGwwFCQBPGgAACgkQLPik5GSQ
ZboEMgEA2IjPyFNR0qXaZAAypfLjmESdAoePyqGRw6JEec5JNEsBAJq7S9p5T1qj
8Uo5LLx48h6ihRV+5PuzwqeLpaTKpxAO
=s8BA
-----END PGP PUBLIC KEY BLOCK-----
`)
const EXPIRES = Date.UTC(2026, 9, 1) + 60 * DAY

test('every stage has its window, none is longer than the store remembers a notice, and none overlap', () => {
  const left = fc.integer({ min: -40 * DAY, max: 40 * DAY })
  fc.assert(
    fc.property(left, left, (one, other) => {
      const stage = stageAt(one)
      if (stage === null) return
      assert.ok(one <= stage * DAY)
      if (stageAt(other) === stage) assert.ok(Math.abs(one - other) < 14 * DAY)
    }),
  )
  for (const [days, stage] of [
    [31, null],
    [30, 30],
    [18, 30],
    [17, null],
    [14, 14],
    [4, 14],
    [3, 3],
    [1, 3],
    [0, 0],
    [-12, 0],
    [-13, null],
  ])
    assert.equal(stageAt(days! * DAY), stage, `${days}`)
})

test('a certificate ends when nothing can be sealed to it any more', async () => {
  assert.equal(usableUntil(EXPIRING), EXPIRES)
  const { certificate } = await generateKeys({ userId: 'a@b.test', algorithm: 'curve25519', created: new Date(0) })
  assert.equal(usableUntil(certificate), null)
})

const stored = (fingerprint: string, more: Partial<StoredCertificate> = {}): StoredCertificate => ({
  fingerprint,
  certificate: EXPIRING,
  since: 0,
  use: 'both',
  custody: 'held',
  current: true,
  endToEnd: true,
  ...more,
})

const account = (id: string, state: 'active' | 'suspended' = 'active') => ({
  id,
  address: { local: id, domain: 'alpha.test' },
  state,
  created: 0,
  quota: null,
})

/** A watch over some accounts; sent notices are kept by account and key. */
function rig(certificates: Readonly<Record<string, readonly StoredCertificate[]>>) {
  const clock = createFakeClock(EXPIRES - 40 * DAY)
  const log = createFakeLog()
  const metrics = createMetrics()
  const sent = new Map<string, Notice>()
  const accounts = [...Object.keys(certificates).map((id) => account(id)), account('asleep', 'suspended')]
  const options = {
    directory: {
      accounts: async () => accounts,
      certificates: async (id: string) => certificates[id] ?? [stored('X')],
    },
    notices: {
      async send(id: string, notice: Notice) {
        const key = `${id} ${notice.key}`
        if (!sent.has(key)) sent.set(key, notice)
      },
    },
    clock,
    logger: log,
    metrics,
  }
  /** One look at this time left, from start to end. */
  const look = async (daysLeft: number) => {
    clock.set(EXPIRES - daysLeft * DAY)
    await using _ = watchExpiry(options)
    while (clock.waiting === 0) await new Promise(setImmediate)
  }
  return { clock, log, metrics, sent, options, look }
}

test('over the months each owner hears four times, and of current certificates only', async () => {
  const { sent, look, metrics } = rig({
    anna: [stored('NEW'), stored('OLD', { current: false, endToEnd: false })],
    bob: [
      stored('REST', { certificate: Buffer.from('none') }),
      stored('DEVICE', { current: false, custody: 'device' }),
    ],
  })
  const sentAt: string[] = []
  for (let daysLeft = 40; daysLeft > -40; daysLeft--) {
    const before = sent.size
    await look(daysLeft)
    if (sent.size > before) sentAt.push(`${daysLeft}: ${sent.size - before}`)
  }
  assert.deepEqual(sentAt, ['30: 2', '14: 2', '3: 2', '0: 2'])
  assert.deepEqual([...sent.keys()].slice(0, 2), [`anna expiry.NEW.${EXPIRES}.30`, `bob expiry.DEVICE.${EXPIRES}.30`])
  const [first, device, , , , , last] = [...sent.values()]
  assert.equal(first?.subject, 'Your OpenPGP key expires on 2026-11-30')
  assert.match(first?.text, /^The OpenPGP key of anna@alpha.test expires on 2026-11-30, in 30 days:\n\n {2}NEW\n/)
  assert.match(first?.text, /letterlock key rotate anna@alpha.test/)
  assert.ok(first.text.split('\n').every((line) => line.length <= 78))
  assert.doesNotMatch(device?.text ?? '', /key rotate/)
  assert.match(last?.text ?? '', /^The OpenPGP key of anna@alpha.test expired on 2026-11-30:\n/)
  assert.match(await metrics.text(), /letterlock_certificates_expiring\{state="expired"\} 2\n/)
})

test('it looks again every day, and one account in trouble does not keep it from the others', async () => {
  const { clock, log, options, sent, metrics } = rig({ anna: [stored('A')], bob: [stored('B')] })
  clock.set(EXPIRES - 31 * DAY)
  const notices = {
    send: async (id: string, notice: Notice) => {
      if (id === 'anna') throw new Error('over quota')
      await options.notices.send(id, notice)
    },
  }
  const watch = watchExpiry({ ...options, notices })
  while (clock.waiting === 0) await new Promise(setImmediate)
  assert.equal(log.lines.length, 0)
  assert.match(await metrics.text(), /certificates_expiring\{state="soon"\} 0\n/)
  await clock.advance(DAY)
  while (clock.waiting === 0) await new Promise(setImmediate)
  assert.deepEqual([...sent.keys()], [`bob expiry.B.${EXPIRES}.30`])
  assert.deepEqual(
    log.said('certificate expires').map(({ account, daysLeft }) => [account, daysLeft]),
    [
      ['anna', 30],
      ['bob', 30],
    ],
  )
  assert.equal(log.said('the owner of a certificate was not told').length, 1)
  assert.match(await metrics.text(), /certificates_expiring\{state="soon"\} 2\n/)
  await watch[Symbol.asyncDispose]()
  assert.equal(clock.waiting, 0)
})

test('the commands that a notice names are whole: subkeys are extended too, and the file is named', () => {
  const key = { address: 'anna@alpha.test', fingerprint: 'F1', expires: EXPIRES, daysLeft: 20 }
  const held = expiryNotice({ ...key, custody: 'held' }, 30).text
  const device = expiryNotice({ ...key, custody: 'device' }, 30).text
  for (const text of [held, device])
    assert.match(text, /--quick-set-expire F1 2y\n {2}gpg --quick-set-expire F1 2y '\*'\n/)
  assert.match(held, /--export-secret-keys F1 > key\.asc\n {2}letterlock key import anna@alpha\.test key\.asc\n/)
  assert.match(device, /--export F1 > key\.asc\n {2}letterlock key import anna@alpha\.test key\.asc --device\n/)
})
