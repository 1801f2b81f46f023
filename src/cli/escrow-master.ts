/**
 * `letterlock escrow init`, `check` and `recover`: what is done with the master key, on a machine that is not the server and has no
 * data directory. The master secret key is unlocked in the vault process alone; its passphrase, typed or put together from shares,
 * passes through here and is wiped.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { masterFingerprint } from '#custody/escrow/master-certificate.ts'
import { decodeRequest, type EscrowRequest, encodeGrant, PACKAGE_OCTETS_MAX } from '#custody/escrow/packages.ts'
import { readShare, SHARE_TEXT_MAX, writeShare } from '#custody/escrow/share-text.ts'
import { combineShares, newLockSecret, passphraseOf, SHARES_MAX, splitSecret } from '#custody/escrow/shares.ts'
import type { MasterLock } from '#custody/keyring/master-vault.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError, UsageError } from './cli-error.ts'
import { confirm } from './confirm.ts'
import { answer, day, type OutputOptions } from './output.ts'
import { readSecrets } from './secrets.ts'

/** The vault's user where this runs as root. */
const VAULT_UID = 65_533
const SECRET_FILE = 'escrow-secret.asc'
const CERTIFICATE_FILE = 'escrow-master.asc'

async function openMasterVault() {
  const { MasterVault } = await import('#custody/keyring/master-vault.ts')
  return new MasterVault({ placement: { uid: VAULT_UID }, clock: systemClock })
}

interface SecretOptions extends OutputOptions {
  readonly passwordStdin?: boolean
}

export interface InitOptions extends SecretOptions {
  readonly out: string
  readonly name: string
  readonly shares?: string
  readonly threshold?: string
  readonly algorithm: string
}

interface Division {
  readonly shares: number
  readonly threshold: number
}

/** null: one passphrase, no shares. */
function divisionOf({ shares, threshold }: InitOptions): Division | null {
  if (shares === undefined && threshold === undefined) return null
  const division = { shares: Number(shares), threshold: Number(threshold) }
  const fits = Number.isInteger(division.shares) && Number.isInteger(division.threshold)
  if (fits && division.threshold >= 2 && division.threshold <= division.shares && division.shares <= SHARES_MAX) {
    return division
  }
  throw new UsageError(`--shares N and --threshold K go together: 2 <= K <= N <= ${SHARES_MAX}, such as 3 and 2`)
}

function algorithmOf(name: string): 'curve25519' | 'rsa4096' {
  if (name === 'curve25519' || name === 'rsa4096') return name
  throw new UsageError(`--algorithm: "${name}" is neither curve25519 nor rsa4096`)
}

async function makeEmptyFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if ((await readdir(path)).length > 0) throw new CliError(`${path} is not empty: name a new folder`)
}

const keep = (path: string, content: string | Uint8Array) =>
  writeFile(path, content, { mode: 0o600, flag: 'wx', flush: true })

export async function init(options: InitOptions): Promise<void> {
  const division = divisionOf(options)
  const algorithm = algorithmOf(options.algorithm)
  const out = resolve(options.out)
  await using vault = await openMasterVault()
  await makeEmptyFolder(out)
  const secret = division ? newLockSecret() : null
  try {
    const lock = secret ? passphraseOf(secret) : await newPassphrase(options)
    const made = await vault.make({ userId: options.name, algorithm, lock })
    await keep(join(out, CERTIFICATE_FILE), armor('PUBLIC KEY BLOCK', made.certificate))
    await keep(join(out, SECRET_FILE), made.secret)
    const { fingerprint } = made
    const shares =
      secret && division ? await keepShares(out, secret, division, { fingerprint, name: options.name }) : []
    if (division) await checkKept(vault, out, shares.slice(-division.threshold))
    answer(options, { folder: out, fingerprint, shares }, initText(out, fingerprint, shares))
  } finally {
    if (secret) wipe(secret)
  }
}

async function newPassphrase(options: SecretOptions): Promise<Buffer> {
  const [lock] = await readSecrets(
    [{ label: 'Passphrase of the master key', isNew: true }],
    options.passwordStdin === true,
  )
  return lock!
}

async function keepShares(
  out: string,
  secret: Buffer,
  division: Division,
  master: { readonly fingerprint: string; readonly name: string },
): Promise<readonly string[]> {
  const files: string[] = []
  for (const share of await splitSecret(secret, division, master.fingerprint)) {
    const text = writeShare(share, { ...master, made: systemClock.now() })
    const file = `share-${share.number}-of-${share.shares}.txt`
    await keep(join(out, file), text)
    wipe(text)
    wipe(share.octets)
    files.push(file)
  }
  return files
}

/** Reads everything back: a share that does not open is found now, not when it is needed. */
async function checkKept(
  vault: Awaited<ReturnType<typeof openMasterVault>>,
  out: string,
  shares: readonly string[],
): Promise<void> {
  const lock = await lockFrom({ secret: join(out, SECRET_FILE), shares: shares.map((file) => join(out, file)) })
  if ((await vault.check(lock)) === null) throw new CliError(`what was written to ${out} does not open: check the disk`)
}

function initText(out: string, fingerprint: string, shares: readonly string[]): string {
  const kept =
    shares.length > 0
      ? `Give each of ${shares.join(', ')} to another person, on paper, and delete the files.`
      : 'Whoever has this file and its passphrase can open every account that agreed to escrow.'
  return `The master key is in ${out}.

  ${CERTIFICATE_FILE}   goes to the server
  ${SECRET_FILE}   never goes there: keep it on a medium that is connected to nothing. ${kept}

In letterlock.toml of the server:

  [escrow]
  certificate = "${CERTIFICATE_FILE}"
  fingerprint = "${fingerprint}"

Write the fingerprint down somewhere else too. To see that it all opens:

  letterlock escrow check --secret ${SECRET_FILE}${shares.length > 0 ? ` --shares ${shares.slice(0, 2).join(' ')} ...` : ''}`
}

interface LockOptions extends SecretOptions {
  readonly secret: string
  readonly shares?: readonly string[]
}

async function fileOf(path: string, most: number): Promise<Buffer> {
  const octets = await readFile(path)
  if (octets.length > most) throw new CliError(`${path} is too long for what it should be`)
  return octets
}

/** The locked secret key and what unlocks it: shares, or a passphrase that is asked for. Throws SharesRefused, WrongMaster. */
async function lockFrom(options: LockOptions): Promise<MasterLock> {
  const secret = await fileOf(options.secret, PACKAGE_OCTETS_MAX)
  const fingerprint = masterFingerprint(secret)
  if (options.shares === undefined) {
    const [passphrase] = await readSecrets([{ label: 'Passphrase of the master key' }], options.passwordStdin === true)
    return { secret, passphrase: passphrase! }
  }
  const shares = await Promise.all(
    options.shares.map(async (path) => readShare(await fileOf(path, SHARE_TEXT_MAX), path)),
  )
  const combined = await combineShares(shares, fingerprint)
  for (const { octets } of shares) wipe(octets)
  try {
    return { secret, passphrase: passphraseOf(combined) }
  } finally {
    wipe(combined)
  }
}

const WRONG = 'the passphrase does not open the master key'

export async function check(options: LockOptions): Promise<void> {
  await using vault = await openMasterVault()
  const fingerprint = await vault.check(await lockFrom(options))
  if (fingerprint === null) throw new CliError(WRONG)
  answer(options, { fingerprint }, `The master key ${fingerprint} opens.`)
}

export interface RecoverOptions extends LockOptions {
  readonly package: string
  readonly ticket: string
  readonly out: string
  readonly log?: string
  readonly yes?: boolean
}

const questionOf = ({ address, account, ticket, at, consent, table }: EscrowRequest, fingerprint: string) => `\
You are about to open an account with the escrow master key:

  account     ${address} (${account})
  reason      ${ticket}
  requested   ${day(at)}
  consent     given ${day(consent.at)}, text ${consent.version}
  master key  ${fingerprint}
  openings    ${table.openings.length === 0 ? 'none before' : table.openings.map((one) => `${day(one.at)} ${one.ticket}`).join('; ')}

It makes one recovery code for this account, and the owner is told.`

/** A grant takes nobody by surprise: its file must not be there yet. */
async function checkNew(path: string): Promise<void> {
  const isThere = await readFile(path).then(
    () => true,
    () => false,
  )
  if (isThere) throw new CliError(`${path} exists already; name a new file`)
}

export async function recover(options: RecoverOptions): Promise<void> {
  const request = decodeRequest(await fileOf(options.package, PACKAGE_OCTETS_MAX))
  if (options.ticket !== request.ticket) {
    throw new CliError(
      `the request is for the ticket "${request.ticket}", not for "${options.ticket}": ask who is mistaken`,
    )
  }
  await checkNew(options.out)
  await using vault = await openMasterVault()
  const fingerprint = masterFingerprint(await fileOf(options.secret, PACKAGE_OCTETS_MAX))
  await confirm(
    { text: questionOf(request, fingerprint), question: 'Open this account?', option: '--yes' },
    options.yes,
  )
  const lock = await lockFrom(options)
  await log(options, request, fingerprint)
  const { account, address, ticket } = request
  const opened = await vault.open({ account, table: Buffer.from(request.octets), ticket }, lock)
  if (opened.kind === 'wrong') throw new CliError(`${WRONG}, or the escrow slot in the request was not made for it`)
  if (opened.kind === 'none') throw new CliError(noSlot(request, fingerprint))
  await keep(options.out, encodeGrant({ account, address, ticket, octets: opened.table }))
  const recoveryCode = opened.recoveryCode.reveal()
  answer(
    options,
    { address, ticket, file: options.out, recoveryCode },
    `Recovery code for ${address}, good for one new password:

  ${recoveryCode}

It works once the server has the grant: letterlock escrow apply ${options.out}
Then: letterlock account password ${address} --recovery`,
  )
}

/** On this machine's own record, before anything is opened. */
async function log(
  { log: folder }: RecoverOptions,
  { account, address, ticket }: EscrowRequest,
  master: string,
): Promise<void> {
  if (folder === undefined) return
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const audit = openAuditLog({ dataDir: resolve(folder), clock: systemClock })
  await audit.record({ event: 'escrow.opened', account, address, actor: 'operator', detail: { ticket, master } })
}

function noSlot({ address, table }: EscrowRequest, fingerprint: string): string {
  const masters = table.slots.flatMap(({ kdf }) => (kdf.kind === 'openpgp' ? [kdf.fingerprint] : []))
  return masters.length === 0
    ? `${address} has no escrow slot: nothing but its owner's credentials opens it`
    : `the escrow slot of ${address} is for the master key ${masters.join(', ')}, and this one is ${fingerprint}`
}
