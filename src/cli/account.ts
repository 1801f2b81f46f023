/** `letterlock account`: people, their passwords and their state. */
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSize } from '#config/config.ts'
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { AddressTaken } from '#custody/accounts/directory.ts'
import type { AuditDetail, AuditEvent } from '#custody/audit/audit-log.ts'
import type { KeyAlgorithm } from '#custody/keyring/keyring.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import { silentLogger } from '#lib/log.ts'
import { CliError, UsageError } from './cli-error.ts'
import { coverageText } from './coverage-text.ts'
import { answer, day, notice, type OutputOptions, octets, tabulate } from './output.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'
import { openSealedStore } from './sealed-store.ts'
import { readSecrets } from './secrets.ts'

type Options = PlaceOptions & OutputOptions & { readonly passwordStdin?: boolean }

export interface AddOptions extends Options {
  readonly algorithm?: string
  readonly quota?: string
}

function quotaOf(text: string | undefined, standard: number): number | null {
  if (text === undefined) return standard === 0 ? null : standard
  const limit = parseSize(text)
  if (limit === null) throw new CliError(`--quota: "${text}" is no size such as 500M or 2G`)
  return limit === 0 ? null : limit
}

function algorithmOf(text: string | undefined): KeyAlgorithm {
  const name = text ?? 'curve25519'
  if (name !== 'curve25519' && name !== 'rsa3072')
    throw new CliError(`--algorithm: "${name}" is neither curve25519 nor rsa3072`)
  return name
}

/** What the operator is about to do. */
const record = (premises: Premises, event: AuditEvent, account: Account, detail: AuditDetail = {}) =>
  premises.audit().record({
    event,
    account: account.id,
    address: formatAddress(account.address),
    actor: 'operator',
    detail,
  })

const storeOf = (premises: Premises) =>
  createSqlMailStore({ dataDir: premises.config.data, clock: systemClock, logger: silentLogger })

/** Makes an account; what it needs on the disk is there before the directory names it. */
export async function createAccount(premises: Premises, text: string, password: Buffer, options: AddOptions) {
  const address = addressOf(text)
  const algorithm = algorithmOf(options.algorithm)
  const quota = quotaOf(options.quota, premises.config.limits.quota)
  const directory = await premises.directory()
  if (!(await directory.domains()).some((own) => domainKey(own) === domainKey(address.domain)))
    throw new CliError(
      `${address.domain} is no domain of this provider; letterlock domain add ${address.domain} makes it one`,
    )
  if (await directory.accountByLogin(formatAddress(address)))
    throw new AddressTaken(`${formatAddress(address)} is taken`)
  const account: Account = { id: randomId(16), address, state: 'active', created: systemClock.now(), quota }
  const folder = join(premises.config.data, 'accounts', account.id)
  await record(premises, 'account.created', account)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    const keyring = await premises.keyring()
    const { certificate, recoveryCode } = await keyring.create(account.id, address, password, algorithm)
    await using store = storeOf(premises)
    await store.create(account.id)
    await store.setQuota(account.id, quota)
    await directory.addAccount(account, certificate)
    return { account, certificate, recoveryCode }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

export async function add(text: string, options: AddOptions): Promise<void> {
  await using premises = new Premises(options)
  addressOf(text)
  const [password] = await readSecrets([{ label: 'Password', isNew: true }], options.passwordStdin === true)
  const { account, certificate, recoveryCode } = await createAccount(premises, text, password!, options)
  answer(
    options,
    {
      address: formatAddress(account.address),
      id: account.id,
      state: account.state,
      fingerprint: certificate.fingerprint,
      recoveryCode: recoveryCode.reveal(),
    },
    [
      `Made the account ${formatAddress(account.address)}.`,
      `Certificate:   ${certificate.fingerprint}`,
      `Recovery code: ${recoveryCode.reveal()}`,
      'The recovery code opens the mail when the password is forgotten. It is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

async function described(premises: Premises, account: Account) {
  const directory = await premises.directory()
  const current = (await directory.certificates(account.id)).find((one) => one.current)
  await using store = storeOf(premises)
  const quota = await store.quota(account.id)
  return {
    address: formatAddress(account.address),
    id: account.id,
    state: account.state,
    created: day(account.created),
    used: quota.used,
    quota: quota.limit,
    fingerprint: current?.fingerprint ?? null,
  }
}

export async function list(options: Options): Promise<void> {
  await using premises = new Premises(options)
  const rows = []
  for (const account of await (await premises.directory()).accounts()) rows.push(await described(premises, account))
  answer(
    options,
    rows,
    rows.length === 0
      ? 'No accounts yet. letterlock account add ADDRESS makes one.'
      : tabulate(
          ['address', 'state', 'used', 'quota', 'certificate'],
          rows.map((row) => [
            row.address,
            row.state,
            octets(row.used),
            row.quota === null ? 'none' : octets(row.quota),
            row.fingerprint ?? '',
          ]),
        ),
  )
}

export async function show(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const directory = await premises.directory()
  const row = {
    ...(await described(premises, account)),
    addresses: (await directory.addresses(account.id)).map(formatAddress),
    certificates: (await directory.certificates(account.id)).map(({ fingerprint, since, current }) => ({
      fingerprint,
      since: day(since),
      current,
    })),
  }
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  const coverage = await mail.coverage()
  const mailboxes = []
  for (const mailbox of await mail.mailboxes()) {
    const { messages, unseen } = await mail.status(mailbox.id)
    mailboxes.push({ name: mailbox.name, messages, unseen })
  }
  answer(
    options,
    { ...row, coverage, mailboxes },
    [
      `address      ${row.addresses.join(', ')}`,
      `state        ${row.state}`,
      `since        ${row.created}`,
      `used         ${octets(row.used)} of ${row.quota === null ? 'no limit' : octets(row.quota)}`,
      ...row.certificates.map(
        (one) => `certificate  ${one.fingerprint}${one.current ? ' (current)' : ''}, since ${one.since}`,
      ),
      `mail         ${coverageText(coverage)}`,
      '',
      tabulate(
        ['mailbox', 'messages', 'unseen'],
        mailboxes.map((one) => [one.name, String(one.messages), String(one.unseen)]),
      ),
    ].join('\n'),
  )
}

export interface PasswordOptions extends Options {
  readonly recovery?: boolean
  readonly reset?: boolean
  readonly algorithm?: string
}

export async function password(text: string, options: PasswordOptions): Promise<void> {
  if (options.recovery && options.reset) throw new UsageError('--recovery and --reset exclude each other')
  await using premises = new Premises(options)
  const account = await premises.account(text)
  if (options.reset) await resetPassword(premises, account, options)
  else if (options.recovery) await recoverPassword(premises, account, options)
  else await changePassword(premises, account, options)
  await premises.tell(`/accounts/${account.id}/end-sessions`)
}

async function changePassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const [old, next] = await readSecrets(
    [{ label: 'Old password' }, { label: 'New password', isNew: true }],
    options.passwordStdin === true,
  )
  if (!(await (await premises.keyring()).changePassword(account.id, old!, next!)))
    throw new CliError(
      'the old password is wrong; nothing was changed. If it is forgotten: --recovery (keeps all mail)',
    )
  answer(options, { changed: true }, 'The password is changed. All mail stays readable; other sessions were ended.')
}

async function recoverPassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const [code, next] = await readSecrets(
    [{ label: 'Recovery code' }, { label: 'New password', isNew: true }],
    options.passwordStdin === true,
  )
  const recovered = await (await premises.keyring()).recover(account.id, code!, next!)
  if (!recovered) throw new CliError('the recovery code is wrong; nothing was changed')
  answer(
    options,
    { changed: true, recoveryCode: recovered.recoveryCode.reveal() },
    [
      'The password is changed. All mail stays readable; other sessions were ended.',
      `New recovery code: ${recovered.recoveryCode.reveal()}`,
      'The old code no longer works. The new one is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

const RESET_MEANS = [
  'A reset needs neither the old password nor the recovery code, and this is what it means:',
  '- the account gets a new key; new mail is sealed to it and readable with the new password;',
  '- mail received until now stays sealed to the old key and cannot be read;',
  '- nothing is deleted: the old locks are parked. Whoever finds the old password or the recovery code opens it all again with',
  '  letterlock account relink ADDRESS',
]

async function resetPassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  if (!options.json) notice(RESET_MEANS.join('\n'))
  const [next] = await readSecrets([{ label: 'New password', isNew: true }], options.passwordStdin === true)
  const algorithm = algorithmOf(options.algorithm)
  const { certificate, recoveryCode } = await (await premises.keyring()).reset(
    account.id,
    account.address,
    next!,
    algorithm,
  )
  await (await premises.directory()).addCertificate(account.id, certificate)
  answer(
    options,
    { changed: true, fingerprint: certificate.fingerprint, recoveryCode: recoveryCode.reveal(), means: RESET_MEANS },
    [
      'The account has a new password and a new key.',
      `Certificate:   ${certificate.fingerprint}`,
      `Recovery code: ${recoveryCode.reveal()}`,
      'The recovery code is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

export async function relink(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const [current, old] = await readSecrets(
    [{ label: 'Password' }, { label: 'Old password or recovery code' }],
    options.passwordStdin === true,
  )
  const result = await (await premises.keyring()).relink(account.id, { password: current! }, old!)
  if (!result)
    throw new CliError(
      'nothing was opened: the password is wrong, or no parked lock opens with the old password or code',
    )
  await premises.tell(`/accounts/${account.id}/end-sessions`)
  answer(
    options,
    result,
    `${result.relinked} old key(s) are unlocked with the account again; the mail sealed to them is readable.`,
  )
}

async function changeState(text: string, state: Account['state'], options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await record(premises, state === 'suspended' ? 'account.suspended' : 'account.resumed', account)
  await (await premises.directory()).setState(account.id, state)
  await premises.tell(`/accounts/${account.id}/end-sessions`)
  answer(
    options,
    { address: formatAddress(account.address), state },
    state === 'suspended'
      ? `${formatAddress(account.address)} is suspended: it cannot log in and receives nothing; its mail stays. letterlock account resume lifts it.`
      : `${formatAddress(account.address)} is active again.`,
  )
}

export const suspend = (text: string, options: Options): Promise<void> => changeState(text, 'suspended', options)
export const resume = (text: string, options: Options): Promise<void> => changeState(text, 'active', options)

export async function quota(text: string, limit: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const octetLimit = quotaOf(limit, 0)
  await (await premises.directory()).setQuota(account.id, octetLimit)
  await using store = storeOf(premises)
  await store.setQuota(account.id, octetLimit)
  answer(
    options,
    { address: formatAddress(account.address), quota: octetLimit },
    `The quota of ${formatAddress(account.address)} is ${octetLimit === null ? 'no limit' : octets(octetLimit)}.`,
  )
}

export interface RemoveOptions extends Options {
  readonly purge?: boolean
}

export async function remove(text: string, options: RemoveOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await record(premises, 'account.removed', account, { purge: options.purge === true })
  await (await premises.directory()).removeAccount(account.id)
  await premises.tell(`/accounts/${account.id}/end-sessions`)
  const folder = join(premises.config.data, 'accounts', account.id)
  const kept = join(premises.config.data, 'removed', account.id)
  if (options.purge) await rm(folder, { recursive: true, force: true })
  else {
    await mkdir(join(premises.config.data, 'removed'), { recursive: true, mode: 0o700 })
    await rename(folder, kept)
  }
  answer(
    options,
    { address: formatAddress(account.address), removed: true, kept: options.purge ? null : kept },
    options.purge
      ? `${formatAddress(account.address)} and all its mail are deleted.`
      : `${formatAddress(account.address)} is removed. Its sealed mail and locked keys are kept in ${kept}; delete that folder to destroy them.`,
  )
}
