/**
 * `letterlock escrow` on the server: owners consent and opt out, the operator sees the state of every account, and a recovery leaves
 * as a request and comes back as a grant. What needs the master key itself is in escrow-master.ts, for another machine.
 */
import { open, readFile, rm } from 'node:fs/promises'
import { createNotices } from '#agents/notices/notices.ts'
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { checkTicket, decodeGrant, type EscrowGrant, encodeRequest } from '#custody/escrow/packages.ts'
import { type EscrowPolicy, isOffered, readPolicy } from '#custody/escrow/policy.ts'
import type { Keyring } from '#custody/keyring/keyring.ts'
import { domainOf, formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { CliError } from './cli-error.ts'
import { confirm } from './confirm.ts'
import { declare, type EscrowConsent, escrowConsent } from './escrow-consents.ts'
import { openingNotice } from './escrow-words.ts'
import { answer, type OutputOptions } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { openSealedStore } from './sealed-store.ts'
import { shellWord } from './shell-word.ts'

type Options = PlaceOptions & OutputOptions

export interface DecisionOptions extends Options {
  readonly agree?: boolean
  readonly passwordStdin?: boolean
}

async function policyFor(premises: Premises, account: Account): Promise<EscrowPolicy> {
  const { escrow } = premises.config
  const policy = await readPolicy(escrow, systemClock.now())
  if (!policy) throw new CliError('escrow is off: there is no certificate in [escrow] of the configuration')
  if (!isOffered(escrow, domainOf(account.address), domainKey)) {
    throw new CliError(`accounts of ${domainOf(account.address)} are not offered escrow ([escrow] domains)`)
  }
  return policy
}

export async function consent(text: string, options: DecisionOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { master, consentText, label } = await policyFor(premises, account)
  const keyring = await premises.keyring()
  const certificates = await (await premises.directory()).certificates(account.id)
  if (certificates.length === 0) throw new CliError(`${address} has no key yet: letterlock key generate ${address}`)
  const { slot } = await keyring.escrow(account.id)
  const before = await escrowConsent(premises, account)
  if (slot?.master === master.fingerprint && before?.decision === 'given') {
    return answer(
      options,
      { address, master: slot.master, version: before.version, changed: false },
      `Escrow is on already for ${address}.`,
    )
  }
  const shown = `${consentText}\nThe master key: ${master.name}\nIts fingerprint: ${master.fingerprint}\n`
  await confirm({ text: shown, question: `Agree to escrow for ${address}?`, option: '--agree' }, options.agree)
  const { owner } = await ownerSecrets(premises, account, options)
  const recorded = await declare(premises, account, owner, {
    declaration: { decision: 'given', text: shown, label },
    act: (again) => keyring.agreeToEscrow(account.id, again, master.certificate),
  })
  answer(
    options,
    { address, master: master.fingerprint, version: recorded.version, changed: true },
    `Escrow is on for ${address}. Its master key is ${master.fingerprint}. To end it: letterlock escrow opt-out ${address}`,
  )
}

export interface RequestOptions extends Options {
  readonly ticket: string
  readonly out: string
}

export async function request(text: string, options: RequestOptions): Promise<void> {
  checkTicket(options.ticket)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const keyring = await premises.keyring()
  const consent = await consentFor(premises, account, keyring)
  const { ticket, out } = options
  const at = systemClock.now()
  // The file first: what cannot be written is not asked for.
  await using file = await open(out, 'wx', 0o600).catch(refuseExisting(out))
  try {
    const octets = await keyring.requestEscrow(account.id, ticket)
    const facts = { version: consent.version, at: consent.at }
    await file.writeFile(encodeRequest({ account: account.id, address, ticket, at, consent: facts, octets }))
    await file.sync()
  } catch (error) {
    await rm(out, { force: true })
    throw error
  }
  answer(
    options,
    { address, ticket, file: out },
    `Written to ${out}. It is as secret as a backup. Take it to the machine with the master key:
  letterlock escrow recover --package ${shellWord(out)} --secret escrow-secret.asc --shares FILE... --ticket ${shellWord(ticket)} --out GRANT`,
  )
}

const refuseExisting = (path: string) => (error: NodeJS.ErrnoException) => {
  throw error.code === 'EEXIST' ? new CliError(`${path} exists already; name a new file`) : error
}

/** Who has taken the consent back is not opened, whatever an interrupted opt-out has left. */
async function consentFor(premises: Premises, account: Account, keyring: Keyring): Promise<EscrowConsent> {
  const address = formatAddress(account.address)
  const { slot } = await keyring.escrow(account.id)
  if (!slot) throw new CliError(`${address} has no escrow: nothing but its owner's credentials opens it`)
  const newest = await escrowConsent(premises, account)
  if (newest?.decision !== 'given' || newest.signedBy === null) {
    throw new CliError(
      `${address} has no consent on record that its owner has signed and not taken back; nothing was done`,
    )
  }
  return newest
}

export async function apply(file: string, options: Options): Promise<void> {
  const grant = decodeGrant(await readFile(file))
  await using premises = new Premises(options)
  const { address, ticket } = grant
  const account = await (await premises.directory()).account(grant.account)
  if (!account) throw new CliError(`the grant is for ${address} (${grant.account}), which is no account here`)
  await checkRequested(premises, grant)
  const applied = await (await premises.keyring()).applyEscrow(account.id, grant)
  if (applied === 'foreign')
    throw new CliError('this grant is more than one opening of that account; nothing was changed')
  if (applied === 'outdated') {
    throw new CliError(
      `the keyslots of ${address} have changed since the request (a password, an app password); nothing was changed. Make a new request`,
    )
  }
  if (applied === 'untimely') {
    throw new CliError(
      'the grant was made with a clock that is wrong, or more than a week ago; nothing was changed. Set the clock of the machine that has the master key, and run escrow recover again',
    )
  }
  await tellOwner(premises, account, grant)
  answer(
    options,
    { address, ticket },
    `${formatAddress(account.address)} can be opened with the recovery code that \`escrow recover\` printed, once. Its owner is told.`,
  )
}

/** An opening that nobody here asked for is made with a copy of the disk: somebody should ask who has one. */
async function checkRequested(premises: Premises, { account, address, ticket }: EscrowGrant): Promise<void> {
  for await (const entry of premises.audit().entries({ account })) {
    if (entry.event === 'escrow.requested' && entry.detail['ticket'] === ticket) return
  }
  throw new CliError(
    `no request for ${address} with the ticket "${ticket}" was made here: find out from where the grant comes. Nothing was changed`,
  )
}

/** In the mailbox too. That it cannot be written, as on a full disk, undoes nothing: the next login says it in any case. */
async function tellOwner(premises: Premises, account: Account, { ticket, table }: EscrowGrant): Promise<void> {
  const directory = await premises.directory()
  await using store = await openSealedStore(premises)
  const { hostname } = premises.config
  const notices = createNotices({ store, directory, hostname, clock: systemClock, logger: silentLogger })
  await notices.send(account.id, openingNotice(formatAddress(account.address), ticket, table.openings.at(-1)!))
}
