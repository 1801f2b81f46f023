/**
 * `letterlock correspondent`: certificates that the owner of an account accepts for addresses of others, for when nobody publishes
 * one that can be believed. All of it takes the owner's password: whose correspondents these are concerns nobody else. For the same
 * reason the audit log says that something was accepted, and not for whom.
 */
import { readFile } from 'node:fs/promises'
import type { Account } from '#custody/accounts/directory.ts'
import { audited } from '#custody/audit/audit-log.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import type { Correspondent } from '#privacy/correspondents/correspondents.ts'
import { chooseCertificate } from '#privacy/discovery/usable-certificate.ts'
import { openAccepted } from './accepted.ts'
import { CliError, UsageError } from './cli-error.ts'
import { confirm } from './confirm.ts'
import { answer, day, notice, type OutputOptions, tabulate } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'

interface Options extends PlaceOptions, OutputOptions {
  readonly passwordStdin?: boolean
}

export interface AcceptOptions extends Options {
  readonly file: string
  readonly fingerprint?: string
  readonly yes?: boolean
}

/** Longer than any certificate that is taken. */
const FILE_OCTETS_MAX = 4 << 20

export async function accept(text: string, other: string, options: AcceptOptions): Promise<void> {
  const address = addressOf(other)
  const wanted = options.fingerprint === undefined ? null : fingerprintOf(options.fingerprint)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await refuseOurs(premises, address)
  const octets = await readFile(options.file)
  const { certificate, fingerprint } = usableIn(octets, address, options.file)
  if (wanted === null) await confirm(questionOf(address, fingerprint), options.yes)
  else if (wanted !== fingerprint)
    throw new CliError(`${options.file} has ${fingerprint}, which is not the fingerprint given; nothing was changed`)
  else notice(`${formatAddress(address)}: ${spaced(fingerprint)}`)
  await checkOwner(premises, account, options)
  await using correspondents = await openAccepted(premises.config)
  const before = await correspondents.accepted(account.id, address)
  const acceptance = await recorded(premises, account, 'correspondent.accepted', () =>
    correspondents.accept(account.id, address, certificate),
  )
  if (acceptance.kind === 'refused') throw new CliError(`${acceptance.why}; nothing was changed`)
  const owner = formatAddress(account.address)
  const replaced = before && before.fingerprint !== fingerprint ? before.fingerprint : null
  answer(
    options,
    { account: owner, ...documentOf(acceptance.correspondent), replaced },
    [
      `${owner} accepts ${fingerprint} for ${formatAddress(address)}${replaced === null ? '' : `, in place of ${replaced}`}.`,
      'It counts where the domain publishes nothing that can be believed, and never over what it publishes:',
      `  letterlock check ${formatAddress(address)} --from ${owner}`,
    ].join('\n'),
  )
}

export async function list(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await checkOwner(premises, account, options)
  await using correspondents = await openAccepted(premises.config)
  const all = (await correspondents.list(account.id)).map(documentOf)
  answer(
    options,
    { account: formatAddress(account.address), correspondents: all },
    all.length === 0
      ? `${formatAddress(account.address)} accepts no certificates besides those that are published.`
      : tabulate(
          ['address', 'fingerprint', 'accepted'],
          all.map((one) => [one.address, one.fingerprint, one.accepted.slice(0, 10)]),
        ),
  )
}

export async function forget(text: string, other: string, options: Options): Promise<void> {
  const address = addressOf(other)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await checkOwner(premises, account, options)
  await using correspondents = await openAccepted(premises.config)
  if (!(await correspondents.accepted(account.id, address)))
    throw new CliError(`${formatAddress(account.address)} accepts no certificate for ${formatAddress(address)}`)
  await recorded(premises, account, 'correspondent.forgotten', () => correspondents.forget(account.id, address))
  answer(
    options,
    { account: formatAddress(account.address), address: formatAddress(address), forgotten: true },
    `What ${formatAddress(account.address)} accepted for ${formatAddress(address)} is forgotten.`,
  )
}

const documentOf = ({ address, fingerprint, at }: Correspondent) => ({
  address: formatAddress(address),
  fingerprint,
  accepted: day(at),
})

async function refuseOurs(premises: Premises, address: Address): Promise<void> {
  const { kind } = await (await premises.directory()).route(address)
  if (kind !== 'foreign')
    throw new CliError(`${formatAddress(address)} is of this provider, whose directory has its certificate`)
}

function usableIn(octets: Buffer, address: Address, path: string) {
  if (octets.length > FILE_OCTETS_MAX) throw new CliError(`${path} is too large for a certificate`)
  const choice = chooseCertificate([octets], address, systemClock.now())
  if (choice.kind === 'refused') throw new CliError(`${path}: ${choice.why}; nothing was changed`)
  if (choice.kind === 'nothing')
    throw new CliError(`${path} is no certificate. Such a file comes of: gpg --export ${formatAddress(address)}`)
  return choice
}

/** Whole, as it is printed or read aloud. */
function fingerprintOf(text: string): string {
  const digits = text.replace(/^0x|[\s:]/gi, '').toUpperCase()
  if (/^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(digits)) return digits
  throw new UsageError(`--fingerprint: "${text}" is no whole fingerprint of 40 or 64 hexadecimal digits`)
}

const spaced = (fingerprint: string): string => fingerprint.replace(/(.{4})(?=.)/g, '$1 ')

const questionOf = (address: Address, fingerprint: string) => ({
  text: [
    `The certificate for ${formatAddress(address)} has the fingerprint`,
    `  ${spaced(fingerprint)}`,
    'Compare it with its owner by another way than mail: whoever can change it reads what is written to them.',
  ].join('\n'),
  question: 'Is it theirs?',
  option: '--yes',
})

/** Throws CliError when it is not the owner. */
async function checkOwner(premises: Premises, account: Account, options: Options): Promise<void> {
  const { owner } = await ownerSecrets(premises, account, options)
  const { password, ...more } = owner
  const keys = await (await premises.keyring()).unlock(account.id, password, { use: 'owner', ...more })
  if (!keys) throw new CliError('the password or passphrase is wrong; nothing was changed')
  await keys[Symbol.asyncDispose]()
}

function recorded<T>(
  premises: Premises,
  account: Account,
  event: 'correspondent.accepted' | 'correspondent.forgotten',
  act: () => Promise<T>,
): Promise<T> {
  const entry = { event, account: account.id, address: formatAddress(account.address), actor: 'owner', detail: {} }
  return audited(premises.audit(), entry, act)
}
