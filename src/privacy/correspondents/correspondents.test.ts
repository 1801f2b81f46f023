import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { armor } from '#formats/openpgp/armor.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { type MadeKey, madeKey } from '../../../test/support/published.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/support/temporary.ts'
import { CorrespondentsDamaged, openCorrespondents } from './correspondents.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const EVE = { local: 'eve', domain: 'beta.test' }
const clock = createFakeClock()
const made: Record<'bob' | 'newBob' | 'eve', MadeKey> = {} as never
let folder: TemporaryDirectory
let files = 0

before(async () => {
  folder = await temporaryDirectory('correspondents')
  made.bob = await madeKey(['Bob <bob@beta.test>'])
  made.newBob = await madeKey(['Bob <bob@beta.test>'])
  made.eve = await madeKey(['<eve@beta.test>'])
})
after(() => folder[Symbol.asyncDispose]())

const open = (key = randomBytes(32), path = folder.join(`${++files}.db`)) => openCorrespondents({ path, key, clock })

test('what one account accepts is its own, until it is forgotten', async () => {
  await using one = await open()
  assert.equal(await one.accepted('ann', BOB), null)
  const armored = Buffer.from(armor('PUBLIC KEY BLOCK', made.bob.certificate))
  const taken = await one.accept('ann', BOB, armored)
  assert.deepEqual(taken.kind === 'accepted' && taken.correspondent, await one.accepted('ann', BOB))
  assert.deepEqual(await one.accepted('ann', BOB), {
    address: BOB,
    certificate: made.bob.certificate,
    fingerprint: made.bob.fingerprint,
    at: clock.now(),
  })
  assert.equal(await one.accepted('carol', BOB), null)
  assert.equal(await one.accepted('ann', EVE), null)
  const typed = { local: 'Bob', domain: 'beta.test' }
  assert.equal((await one.accepted('ann', typed))?.fingerprint, made.bob.fingerprint)

  await clock.advance(1000)
  await one.accept('ann', EVE, made.eve.certificate)
  await clock.advance(1000)
  await one.accept('ann', BOB, made.newBob.certificate)
  const fingerprints = async (account: string) => (await one.list(account)).map(({ fingerprint }) => fingerprint)
  assert.deepEqual(await fingerprints('ann'), [made.eve.fingerprint, made.newBob.fingerprint])
  assert.deepEqual(await fingerprints('carol'), [])
  await one.accept('carol', BOB, made.bob.certificate)
  assert.equal(await one.forget('ann', BOB), true)
  assert.equal(await one.forget('ann', BOB), false)
  assert.deepEqual(await fingerprints('ann'), [made.eve.fingerprint])
  await one.forgetAll('ann')
  assert.deepEqual([await fingerprints('ann'), await fingerprints('carol')], [[], [made.bob.fingerprint]])
})

test('only what could be written to is accepted, and nothing is changed otherwise', async () => {
  await using one = await open()
  await one.accept('ann', BOB, made.bob.certificate)
  const revoked = withRevocation(made.newBob.certificate, Buffer.from(made.newBob.revocation))
  for (const [octets, why] of [
    [made.eve.certificate, /does not carry this address/],
    [revoked, /was revoked/],
    [Buffer.concat([made.bob.certificate, made.newBob.certificate]), /2 certificates are current/],
    [Buffer.from('<html>'), /no certificate/],
    [made.bob.secret, /no certificate/],
  ] as const) {
    const answer = await one.accept('ann', BOB, octets)
    assert.match(answer.kind === 'refused' ? answer.why : answer.kind, why)
  }
  assert.equal((await one.accepted('ann', BOB))?.fingerprint, made.bob.fingerprint)
})

test('it survives a restart; the file shows nobody, and under another key it is trouble, not nothing', async () => {
  const key = randomBytes(32)
  const path = folder.join('kept.db')
  {
    await using one = await open(key, path)
    await one.accept('ann', BOB, made.bob.certificate)
  }
  const octets = await readFile(path)
  for (const secret of ['ann', 'bob', 'beta.test', made.bob.fingerprint, made.bob.certificate.subarray(60, 90)])
    assert.equal(octets.includes(secret), false)
  {
    await using again = await open(key, path)
    assert.equal((await again.accepted('ann', BOB))?.fingerprint, made.bob.fingerprint)
  }
  const { DatabaseSync } = await import('node:sqlite')
  {
    using database = new DatabaseSync(path)
    database.exec('update accepted set sealed = zeroblob(100)')
  }
  await using changed = await open(key, path)
  await assert.rejects(changed.accepted('ann', BOB), CorrespondentsDamaged)
  await assert.rejects(changed.list('ann'), CorrespondentsDamaged)
  assert.equal(await changed.forget('ann', BOB), true, 'it can be given up')
})
