/** `letterlock account`: people and their state. Their passwords are in account-password.ts. */
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSize } from '#config/config.ts'
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { AddressTaken } from '#custody/accounts/directory.ts'
import { type AuditDetail, type AuditEvent, type AuditRecord, audited } from '#custody/audit/audit-log.ts'
import { readCustody } from '#custody/keyring/custody-modes.ts'
import type { KeyAlgorithm } from '#custody/keyring/key-wishes.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import { silentLogger } from '#lib/log.ts'
import { CliError, UsageError } from './cli-error.ts'
import { coverageText, summariesText, textsText } from './coverage-text.ts'
import { CUSTODY_WORDS } from './key/facts.ts'
import { answer, day, type OutputOptions, octets, tabulate } from './output.ts'
import { policyOfAccount } from './policy.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'
import { openSealedStore } from './sealed-store.ts'
import { readSecrets } from './secrets.ts'

type Options = PlaceOptions & OutputOptions & { readonly passwordStdin?: boolean }

export interface AddOptions extends Options {
  readonly algorithm?: string
  readonly quota?: string
  readonly withoutKey?: boolean
}

function quotaOf(text: string | undefined, standard: number): number | null {
  if (text === undefined) return standard === 0 ? null : standard
  const limit = parseSize(text)
  if (limit === null) throw new UsageError(`--quota: "${text}" is no size such as 500M or 2G`)
  return limit === 0 ? null : limit
}

export function algorithmOf(text: string | undefined): KeyAlgorithm {
  const name = text ?? 'curve25519'
  if (name !== 'curve25519' && name !== 'rsa3072')
    throw new UsageError(`--algorithm: "${name}" is neither curve25519 nor rsa3072`)
  return name
}

/** An operator's act, as the audit log names it. */
const byOperator = (event: AuditEvent, account: Account, detail: AuditDetail = {}): AuditRecord => ({
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
  return audited(premises.audit(), byOperator('account.created', account), () =>
    makeAccount(premises, account, password, options.withoutKey ? null : algorithm),
  )
}

/** `algorithm`: null for an account that begins without a key. */
async function makeAccount(premises: Premises, account: Account, password: Buffer, algorithm: KeyAlgorithm | null) {
  const folder = join(premises.config.data, 'accounts', account.id)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    const keyring = await premises.keyring()
    const made = algorithm
      ? await keyring.create(account.id, account.address, password, algorithm)
      : { ...(await keyring.createWithoutKey(account.id, password)), certificate: null }
    await using store = storeOf(premises)
    await store.create(account.id)
    await store.setQuota(account.id, account.quota)
    await (await premises.directory()).addAccount(account, made.certificate)
    return { account, ...made }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

const KEYLESS = [
  'It has no key yet: it can log in, and mail for it is put off (its senders try again for days) until there is one:',
  '  letterlock key generate ADDRESS, or letterlock key import ADDRESS --file FILE',
]

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
      fingerprint: certificate?.fingerprint ?? null,
      recoveryCode: recoveryCode.reveal(),
    },
    [
      `Made the account ${formatAddress(account.address)}.`,
      ...(certificate ? [`Certificate:   ${certificate.fingerprint}`] : KEYLESS),
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
  const indexing = await mail.indexing()
  const { mode } = await readCustody(premises.config.data, account.id)
  const policy = await policyOfAccount(premises, account)
  const mailboxes = []
  for (const mailbox of await mail.mailboxes()) {
    const { messages, unseen } = await mail.status(mailbox.id)
    mailboxes.push({ name: mailbox.name, messages, unseen })
  }
  answer(
    options,
    { ...row, custody: mode, policy: policy.document, coverage, indexing, mailboxes },
    [
      `address      ${row.addresses.join(', ')}`,
      `state        ${row.state}`,
      `since        ${row.created}`,
      `used         ${octets(row.used)} of ${row.quota === null ? 'no limit' : octets(row.quota)}`,
      `custody      ${CUSTODY_WORDS[mode]}`,
      ...row.certificates.map(
        (one) => `certificate  ${one.fingerprint}${one.current ? ' (current)' : ''}, since ${one.since}`,
      ),
      `without key  ${policy.text}`,
      `mail         ${coverageText(coverage)}`,
      `summaries    ${summariesText(indexing)}`,
      `search index ${textsText(indexing)}`,
      '',
      tabulate(
        ['mailbox', 'messages', 'unseen'],
        mailboxes.map((one) => [one.name, String(one.messages), String(one.unseen)]),
      ),
    ].join('\n'),
  )
}

async function changeState(text: string, state: Account['state'], options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const directory = await premises.directory()
  const entry = byOperator(state === 'suspended' ? 'account.suspended' : 'account.resumed', account)
  await audited(premises.audit(), entry, () => directory.setState(account.id, state))
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
  const directory = await premises.directory()
  const entry = byOperator('account.removed', account, { purge: options.purge === true })
  await audited(premises.audit(), entry, () => directory.removeAccount(account.id))
  await premises.tell(`/accounts/${account.id}/end-sessions`)
  const folder = join(premises.config.data, 'accounts', account.id)
  const kept = join(premises.config.data, 'removed', account.id)
  if (options.purge) {
    await rm(folder, { recursive: true, force: true })
    const { openAccepted } = await import('./accepted.ts')
    await using correspondents = await openAccepted(premises.config)
    await correspondents.forgetAll(account.id)
  } else {
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
