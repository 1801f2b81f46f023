/** Escrow over the files and real vaults: who can open what, before and after the consent, and wherever a change stops. */
import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { after, test } from 'node:test'
import type { Directory } from '#custody/accounts/directory.ts'
import { sealingOf } from '#custody/accounts/sealing.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import type { AuditRecord } from '#custody/audit/audit-log.ts'
import type { Keyring } from '#custody/keyring/keyring.ts'
import { MasterVault, NotAMasterKey } from '#custody/keyring/master-vault.ts'
import { decodeTable, encodeTable } from '#custody/vault/protocol/slot-table.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { systemClock } from '#lib/clock.ts'
import { Failpoints, Stopped } from '../support/failpoints.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { addressOf, keyringBench, PASSWORD, VAULT_UID } from '../support/vault-keyring.ts'

const recorded: AuditRecord[] = []
const audit = { record: async (entry: AuditRecord) => void recorded.push(entry) }
const bench = await keyringBench({ audit })
const failpoints = new Failpoints()
const keyring = await bench.another({ disk: failpoints.disk, directory: failpoints.directory(bench.directory) })
const elsewhere = new MasterVault({ placement: { uid: VAULT_UID }, clock: systemClock })
after(async () => {
  await elsewhere[Symbol.asyncDispose]()
  await keyring[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

const LOCK = 'locks the master key'
const TICKET = 'court order 7/2026'
/** Unlocked, which saves a slow derivation for each use; locked ones have a test of their own. */
const unlocked = await generateKeys({
  userId: 'Escrow of alpha.test',
  algorithm: 'curve25519',
  created: new Date(systemClock.now()),
})
const master = { ...unlocked, fingerprint: parseCertificate(unlocked.certificate).fingerprint }

const owner = () => ({ password: Buffer.from(PASSWORD) })
const wishOf = (account: string) => ({ userIds: [`<${account}@alpha.test>`], algorithm: 'curve25519' }) as const
const agree = (account: string) => keyring.agreeToEscrow(account, owner(), master.certificate)
const leave = (account: string) => keyring.leaveEscrow(account, owner(), wishOf(account))

async function consented(account: string): Promise<void> {
  await bench.account(account)
  assert.equal(await agree(account), true)
}

const open = (account: string, table: Buffer, secret: Uint8Array = master.secret, lock = LOCK) =>
  elsewhere.open({ account, table, ticket: TICKET }, { secret: Buffer.from(secret), passphrase: Buffer.from(lock) })

async function granted(account: string): Promise<{ readonly octets: Buffer; readonly code: Buffer }> {
  const opened = await open(account, await keyring.requestEscrow(account, TICKET))
  assert.ok(opened.kind === 'opened')
  return { octets: opened.table, code: Buffer.from(opened.recoveryCode.reveal()) }
}

const apply = (account: string, octets: Buffer) => keyring.applyEscrow(account, { ticket: TICKET, octets })

/** Mail that arrives now, as far as keys are concerned. */
async function received(account: string, directory: Directory = bench.directory): Promise<Uint8Array> {
  const { certificate } = await sealingOf(directory, account)
  return splitMessage(seal(parseCertificate(certificate!).encryptionKeys, Buffer.from('x')).message).pkesks[0]!
}

async function readable(account: string, mail: readonly Uint8Array[], by: Keyring, password = PASSWORD) {
  await using keys = await by.unlock(account, Buffer.from(password))
  assert.ok(keys, `${account} opens`)
  return (await keys.sessionKeys(mail)).map((key) => key !== null)
}

test('a recovery gives one code, once; the owner is told, and every step was recorded before', async () => {
  await consented('ada')
  const mail = [await received('ada')]
  const { octets, code } = await granted('ada')
  assert.equal(await apply('ada', octets), 'applied')
  assert.deepEqual(await readable('ada', mail, keyring), [true], 'the password still opens')
  await using keys = await keyring.unlock('ada', Buffer.from(PASSWORD))
  assert.deepEqual(
    keys!.openings.map(({ ticket, master: by }) => [ticket, by]),
    [[TICKET, master.fingerprint]],
  )
  assert.ok(await keyring.recover('ada', Buffer.from(code), Buffer.from('a new password')))
  assert.equal(await keyring.recover('ada', Buffer.from(code), Buffer.from('another password')), null)
  assert.deepEqual(await readable('ada', mail, keyring, 'a new password'), [true])
  const facts = await keyring.escrow('ada')
  assert.equal(facts.slot?.master, master.fingerprint)
  assert.equal(facts.openings.length, 1)
  const events = recorded.filter(({ account }) => account === 'ada').map(({ event, actor }) => `${event} ${actor}`)
  assert.deepEqual(events, [
    'escrow.consented owner',
    'escrow.requested operator',
    'escrow.opened operator',
    'password.recovered owner',
  ])
})

test('a grant is taken for its account, its ticket and the next table only', async () => {
  await consented('bob')
  await consented('carl')
  const { octets } = await granted('bob')
  const other = await granted('bob')
  assert.equal(await apply('carl', octets), 'foreign')
  assert.equal(await keyring.applyEscrow('bob', { ticket: 'another ticket', octets }), 'foreign')
  assert.equal(await apply('bob', Buffer.from('no table')), 'foreign')
  const table = decodeTable(octets)
  const more = [
    { ...table, current: 'F'.repeat(40) },
    { ...table, slots: [...table.slots, table.slots.at(-1)!] },
    { ...table, slots: table.slots.slice(0, -1) },
    { ...table, openings: [...table.openings, ...table.openings] },
    { ...table, slots: [...table.slots.slice(0, -1), { ...table.slots.at(-1)!, scope: '' }] },
  ]
  for (const one of more) assert.equal(await apply('bob', encodeTable(one)), 'foreign')
  for (const days of [-8, 2]) {
    const openings = [
      ...table.openings.slice(0, -1),
      { ...table.openings.at(-1)!, at: systemClock.now() + days * 86_400_000 },
    ]
    assert.equal(
      await apply('bob', encodeTable({ ...table, openings })),
      'untimely',
      'its owner would be told another day',
    )
  }
  assert.equal(await apply('bob', octets), 'applied')
  assert.equal(await apply('bob', octets), 'applied', 'twice is once')
  assert.equal((await keyring.escrow('bob')).openings.length, 1)
  assert.equal(await apply('bob', other.octets), 'outdated', 'of the same sequence as the one that was applied')
  const late = await granted('carl')
  assert.ok(await keyring.changePassword('carl', Buffer.from(PASSWORD), Buffer.from('a new password')))
  assert.equal(await apply('carl', late.octets), 'outdated')
})

test('what cannot be recorded is not done', async () => {
  await consented('dora')
  const { octets } = await granted('dora')
  const broken = { record: async () => Promise.reject(new Error('the log is full')) }
  await using silent = await bench.another({ audit: broken })
  const before = await keyring.escrow('dora')
  await assert.rejects(silent.requestEscrow('dora', TICKET), /log is full/)
  await assert.rejects(silent.applyEscrow('dora', { ticket: TICKET, octets }), /log is full/)
  await assert.rejects(silent.agreeToEscrow('dora', owner(), master.certificate), /log is full/)
  await assert.rejects(silent.leaveEscrow('dora', owner(), wishOf('dora')), /log is full/)
  assert.deepEqual(await keyring.escrow('dora'), before)
})

test('the wrong password, and a master key with a wrong lock, change nothing', async () => {
  await bench.account('eve')
  const wish = { userId: 'Escrow of alpha.test', algorithm: 'curve25519' } as const
  const locked = await elsewhere.make({ ...wish, lock: Buffer.from(LOCK) })
  const wrong = () => ({ password: Buffer.from('a wrong password') })
  assert.equal(await keyring.agreeToEscrow('eve', wrong(), master.certificate), false)
  assert.equal((await keyring.escrow('eve')).slot, null)
  await keyring.agreeToEscrow('eve', owner(), locked.certificate)
  assert.equal(await keyring.leaveEscrow('eve', wrong(), wishOf('eve')), null)
  const table = await keyring.requestEscrow('eve', TICKET)
  assert.equal((await open('eve', table, locked.secret, 'another lock')).kind, 'wrong')
  assert.equal((await open('eve', table, locked.secret)).kind, 'opened')
  assert.equal((await open('eve', table)).kind, 'none')
  const lock = () => ({ secret: Buffer.from('no key'), passphrase: Buffer.from(LOCK) })
  await assert.rejects(elsewhere.open({ account: 'eve', table, ticket: TICKET }, lock()), NotAMasterKey)
  await assert.rejects(elsewhere.check(lock()), NotAMasterKey)
})

test('a rotation keeps the slot for the master key that was agreed to, and what was before opens too', async () => {
  await consented('fay')
  const mail = [await received('fay')]
  assert.ok(await keyring.rotateKey('fay', owner(), wishOf('fay')))
  mail.push(await received('fay'))
  const { octets, code } = await granted('fay')
  assert.equal(await apply('fay', octets), 'applied')
  assert.ok(await keyring.recover('fay', code, Buffer.from('a new password')))
  assert.deepEqual(await readable('fay', mail, keyring, 'a new password'), [true, true])
})

/** A copy of all files, with a keyring and a directory of its own. */
async function backup(name: string) {
  const folder = await temporaryDirectory(`backup-${name}`)
  const { path } = folder
  await cp(bench.folder.path, path, { recursive: true })
  const directory = await openDirectory(`${path}/directory.db`)
  const restored = await bench.another({ dataDir: path, directory })
  return {
    path,
    keyring: restored,
    async [Symbol.asyncDispose]() {
      await restored[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('who opted out cannot be recovered; a backup from before opens what was in it, and nothing that came later', async () => {
  await consented('gus')
  const old = await received('gus')
  await using earlier = await backup('gus')
  assert.ok(await leave('gus'))
  const fresh = await received('gus')
  assert.deepEqual(await readable('gus', [old, fresh], keyring), [true, true])
  assert.equal((await open('gus', await keyring.requestEscrow('gus', TICKET))).kind, 'none')

  const opened = await open('gus', await earlier.keyring.requestEscrow('gus', TICKET))
  assert.ok(opened.kind === 'opened')
  assert.equal(await earlier.keyring.applyEscrow('gus', { ticket: TICKET, octets: opened.table }), 'applied')
  const code = Buffer.from(opened.recoveryCode.reveal())
  assert.ok(await earlier.keyring.recover('gus', code, Buffer.from('taken over')))
  // The files of today as well: the new key, and all that is locked today.
  await cp(bench.folder.join('accounts', 'gus', 'keys'), `${earlier.path}/accounts/gus/keys`, { recursive: true })
  assert.deepEqual(await readable('gus', [old, fresh], earlier.keyring, 'taken over'), [true, false])
})

test('an owner who brought the key leaves with a new master key and the same key, and is told so', async () => {
  await bench.account('hal')
  const created = new Date(systemClock.now() - 60_000)
  const { secret } = await generateKeys({ userId: '<hal@alpha.test>', algorithm: 'curve25519', created })
  const order = { tsk: secret, keyPassphrase: null, use: 'both', addsSubkey: false } as const
  assert.ok(await keyring.importKey('hal', owner(), { ...order, addresses: ['hal@alpha.test'] }))
  await agree('hal')
  const left = await leave('hal')
  assert.equal(left?.fingerprint, null)
  assert.equal(left.hasOwnKeys, true)
  assert.equal((await keyring.escrow('hal')).slot, null)
  assert.deepEqual(await readable('hal', [await received('hal')], keyring), [true])
})

test('a master certificate that is missing keeps nobody from leaving', async () => {
  await consented('ivy')
  assert.ok(await keyring.rotateKey('ivy', owner(), { ...wishOf('ivy'), renews: 'end-to-end' }))
  await rm(bench.folder.join('accounts', 'ivy', 'escrow', master.fingerprint))
  await assert.rejects(keyring.rotateKey('ivy', owner(), wishOf('ivy')), /Opt out first/)
  assert.ok(await leave('ivy'))
  assert.equal((await keyring.escrow('ivy')).slot, null)
  assert.deepEqual(await readable('ivy', [await received('ivy')], keyring), [true])
})

test('a slot that a reset has parked is told of, and goes with leaving', async () => {
  await consented('ida')
  await keyring.reset('ida', addressOf('ida'), Buffer.from(PASSWORD), 'curve25519')
  assert.deepEqual(await keyring.escrow('ida'), { slot: null, parked: true, openings: [] })
  assert.ok(await leave('ida'))
  assert.equal((await keyring.escrow('ida')).parked, false)
})

/** Stops the change at each of its steps in turn; the owner reads all mail, and `check` looks at what else is left. */
async function stopEverywhere(
  prepare: (step: number) => Promise<string>,
  change: (account: string) => Promise<unknown>,
  check: (account: string) => Promise<void>,
): Promise<number> {
  for (let step = 0; ; step++) {
    const account = await prepare(step)
    const mail = [await received(account)]
    failpoints.arm(step, 'stop')
    await change(account).catch((error) => {
      if (!(error instanceof Stopped)) throw error
    })
    failpoints.disarm()
    mail.push(await received(account))
    assert.deepEqual(await readable(account, mail, keyring), [true, true])
    await check(account)
    if (failpoints.hit === null) return step
  }
}

test('a consent stopped anywhere is given or not; given again, it is', async () => {
  await bench.account('kim')
  const steps = await stopEverywhere(
    async () => 'kim',
    agree,
    async () => {
      const { slot } = await keyring.escrow('kim')
      if (slot) assert.equal((await open('kim', await keyring.requestEscrow('kim', TICKET))).kind, 'opened')
    },
  )
  assert.equal(steps, 9)
  assert.ok(await keyring.rotateKey('kim', owner(), wishOf('kim')), 'its master certificate is there')
})

test('leaving, stopped anywhere, is done or not; done again, the master key opens nothing', async () => {
  // Each account takes a few of the steps: it cannot have generations without end.
  const prepare = async (step: number) => {
    const account = `leave${Math.floor(step / 12)}`
    if (step % 12 === 0) await bench.account(account)
    await agree(account)
    return account
  }
  const steps = await stopEverywhere(prepare, leave, async (account) => {
    if ((await keyring.escrow(account)).slot) assert.ok(await leave(account))
    assert.equal((await open(account, await keyring.requestEscrow(account, TICKET))).kind, 'none')
  })
  assert.ok(steps >= 18, `${steps} steps`)
})

test('a grant stopped anywhere is applied or not; applied again, its code works', async () => {
  await consented('liz')
  let grant = await granted('liz')
  let applied = 0
  const prepare = async () => {
    grant = await granted('liz')
    return 'liz'
  }
  const steps = await stopEverywhere(
    prepare,
    () => apply('liz', grant.octets),
    async () => {
      assert.equal(await apply('liz', grant.octets), 'applied')
      assert.equal((await keyring.escrow('liz')).openings.length, ++applied)
    },
  )
  assert.equal(steps, 6)
  assert.ok(await keyring.recover('liz', grant.code, Buffer.from('a new password')))
})
