/**
 * Every change of an account's keys, interrupted at every step, in every way: the account opens with the old or the new credential,
 * all that was readable is readable, what arrives at that moment is readable, and the account can be changed again.
 *
 * A power cut is tried at each step, and a full or a broken disk in turn; a real `kill -9` at every third. LETTERLOCK_LONG=1 tries
 * everything at each step.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Directory } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { verifyAuditLog } from '#custody/audit/verify-audit-log.ts'
import { AccountKeysDamaged } from '#custody/keyring/keyring.ts'
import { openKeyring, type VaultKeyring } from '#custody/keyring/vault-keyring.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { Failpoints, type Fault } from '../support/failpoints.ts'
import { type Credentials, type KeyScenario, type Notes, ownerOf, scenarios } from '../support/key-scenarios.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { CHEAP, VAULT_UID } from '../support/vault-keyring.ts'

const child = fileURLToPath(new URL('../support/failpoint-child.ts', import.meta.url))
const isLong = process.env['LETTERLOCK_LONG'] === '1'
const KILL_EVERY = isLong ? 1 : 3
const FINAL = 'the final password'

let folder: TemporaryDirectory
let directory: Directory
/** Sound, as after a restart. */
let keyring: VaultKeyring
/** Over the same files, with failpoints. */
let faulty: VaultKeyring
let faultyDirectory: Directory
const points = new Failpoints()

before(async () => {
  folder = await temporaryDirectory('failpoints')
  await mkdir(folder.join('keys'))
  directory = await openDirectory(folder.join('directory.db'))
  await directory.addDomain('alpha.test')
  faultyDirectory = points.directory(directory)
  const rooms = {
    dataDir: folder.path,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    graceMs: 0,
    vault: { uid: VAULT_UID },
    argon2: CHEAP,
  }
  const log = { dataDir: folder.path, clock: systemClock }
  keyring = await openKeyring({ ...rooms, directory, audit: openAuditLog(log) })
  const audit = openAuditLog({ ...log, disk: points.auditDisk })
  faulty = await openKeyring({ ...rooms, directory: faultyDirectory, audit, disk: points.disk })
})

after(async () => {
  for (const one of [keyring, faulty, directory]) await one?.[Symbol.asyncDispose]()
  await folder?.[Symbol.asyncDispose]()
})

/** One PKESK for each certificate that the account has now. */
async function pkesks(account: string): Promise<Uint8Array[]> {
  return (await directory.certificates(account))
    .filter(({ custody }) => custody === 'held')
    .map(({ certificate }) => sealedTo(certificate))
}

function sealedTo(certificate: Uint8Array): Uint8Array {
  const [key] = parseCertificate(certificate).encryptionKeys
  return Buffer.from(splitMessage(seal([key!], Buffer.from('mail')).message).pkesks[0]!)
}

/** Which of them open; null when the credential does not. */
async function readable(account: string, credentials: Credentials, asked: readonly Uint8Array[]) {
  const { password, passphrase } = ownerOf(credentials)
  try {
    await using keys = await keyring.unlock(account, password, passphrase ? { passphrase } : {})
    return keys && (await keys.sessionKeys(asked)).map((key) => key !== null)
  } catch (error) {
    // the passphrase that is not there yet, or not any more
    if (error instanceof Error && error.name === 'PassphraseNeeded') return null
    throw error
  }
}

/** One PKESK for each certificate whose mail can be read before the change. */
async function readableNow({ account, before }: Notes): Promise<readonly Uint8Array[]> {
  const all = await pkesks(account)
  const read = await readable(account, before, all)
  return all.filter((_, index) => read?.[index])
}

/** What must be true of an account whatever happened to a change of it. */
async function checkWhole(notes: Notes, mail: readonly Uint8Array[], where: string): Promise<void> {
  const { account } = notes
  const old = await readable(account, notes.before, mail)
  const now = await readable(account, notes.after, mail)
  assert.ok(old || now, `${where}: neither the old nor the new credential opens`)
  const credentials = now ? notes.after : notes.before
  const current = (await directory.certificates(account)).find((certificate) => certificate.current)
  const fresh = current ? [sealedTo(current.certificate)] : []
  if (now && !old && notes.relinks !== undefined) {
    await keyring.relink(account, ownerOf(credentials), Buffer.from(notes.relinks))
  }
  for (const read of [await readable(account, credentials, mail), await readable(account, credentials, fresh)]) {
    assert.ok(read?.every(Boolean), `${where}: mail became unreadable: ${JSON.stringify(read)}`)
  }
  const { password, passphrase } = ownerOf(credentials)
  assert.equal(await keyring.changePassword(account, password, Buffer.from(FINAL), passphrase), true, where)
  const last = { ...credentials, password: FINAL }
  assert.ok((await readable(account, last, [...mail, ...fresh]))?.every(Boolean), `${where}: after another change`)
  for (const former of [notes.before, notes.after])
    assert.equal(await readable(account, former, []), null, `${where}: ${former.password} still opens`)
}

const faultsAt = (step: number): readonly Fault[] =>
  isLong ? ['stop', 'ENOSPC', 'EIO'] : ['stop', step % 2 === 0 ? 'ENOSPC' : 'EIO']

let accounts = 0
const newAccount = () => `a${accounts++}`

/** Runs the scenario with a fault at this step; the step's name, or null when the change came to its end before. */
async function tryOnce({ prepare, change }: KeyScenario, step: number, fault: Fault): Promise<string | null> {
  const notes = await prepare({ keyring, directory }, newAccount())
  const mail = await readableNow(notes)
  points.arm(step, fault)
  await change({ keyring: faulty, directory: faultyDirectory }, notes).catch((error: unknown) => {
    if (points.hit === null || error instanceof AccountKeysDamaged) throw error
  })
  points.disarm()
  await checkWhole(notes, mail, `${fault} at step ${step} (${points.hit ?? 'none'})`)
  return points.hit
}

/** In a process of its own; false when it came to its end. */
async function killOnce(name: string, step: number): Promise<boolean> {
  const scenario = scenarios[name]!
  const notes = await scenario.prepare({ keyring, directory }, newAccount())
  const mail = await readableNow(notes)
  const running = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', child], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let words = ''
  running.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString()
  })
  running.stdin.end(JSON.stringify({ dataDir: folder.path, scenario: name, notes, step }))
  const [code, signal] = await once(running, 'close')
  assert.ok(signal === 'SIGKILL' || code === 0, `${name}, step ${step}: ended with ${code ?? signal}: ${words}`)
  await checkWhole(notes, mail, `kill -9 at step ${step}`)
  return signal === 'SIGKILL'
}

describe('changes of keys, interrupted', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`${name}: the power goes, or the disk is full or broken, at any step`, async () => {
      const names: string[] = []
      for (let step = 0; ; step++) {
        const hits = []
        for (const fault of faultsAt(step)) hits.push(await tryOnce(scenario, step, fault))
        if (hits.every((hit) => hit === null)) break
        names.push(hits[0]!)
      }
      assert.ok(
        names.some((step) => step.startsWith('record ')),
        `no step is in the audit log: ${names.join(', ')}`,
      )
      assert.ok(
        names.some((step) => step.includes('keyslots.a')),
        `no step writes the table: ${names.join(', ')}`,
      )
      const first = (word: string) => names.findIndex((step) => step.includes(word))
      assert.ok(first('record ') < first('keyslots.a'), 'the audit log comes before the effect')
    })

    it(`${name}: kill -9`, async () => {
      let step = 0
      while (await killOnce(name, step)) step += KILL_EVERY
      assert.ok(step > 0)
    })
  }

  it('leaves an audit log that nobody would call tampered with', async () => {
    assert.equal((await verifyAuditLog(folder.path)).kind, 'intact')
  })
})
