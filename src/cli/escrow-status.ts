/** `letterlock escrow status`: for each account whether escrow is on, since when, for whose key, and every use of it. */
import type { Account } from '#custody/accounts/directory.ts'
import { plainFingerprint } from '#custody/escrow/master-certificate.ts'
import { readEscrow } from '#custody/keyring/escrow.ts'
import type { EscrowFacts } from '#custody/keyring/key-wishes.ts'
import { AccountKeysDamaged } from '#custody/keyring/keyring.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError } from './cli-error.ts'
import { type EscrowConsent, escrowConsent } from './escrow-consents.ts'
import { answer, day, type OutputOptions, tabulate } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'

interface Standing {
  readonly address: string
  /** `unfinished`: what the owner declared last is not done yet. */
  readonly escrow: 'on' | 'off' | 'unfinished'
  readonly since: string | null
  readonly master: string | null
  /** The slot is for the master key that the configuration names now. */
  readonly isConfigured: boolean
  readonly consent: {
    readonly decision: string
    readonly version: string
    readonly at: string
    readonly signedBy: string | null
  } | null
  /** Mail from before a reset can still be opened with the master key. */
  readonly parked: boolean
  readonly openings: readonly { readonly at: string; readonly ticket: string; readonly master: string }[]
}

export async function status(text: string | undefined, options: PlaceOptions & OutputOptions): Promise<void> {
  await using premises = new Premises(options)
  const directory = await premises.directory()
  const accounts = text === undefined ? await directory.accounts() : [await premises.account(text)]
  const standings: Standing[] = []
  const damaged: string[] = []
  for (const account of accounts) {
    try {
      standings.push(await standingOf(premises, account))
    } catch (error) {
      // one account that must be restored does not hide the others
      if (text !== undefined || !(error instanceof AccountKeysDamaged)) throw error
      damaged.push(`${formatAddress(account.address)}: ${error.message}`)
    }
  }
  if (text === undefined) answer(options, standings, table(standings))
  else answer(options, standings[0], words(standings[0]!))
  if (damaged.length > 0) throw new CliError(damaged.join('\n'))
}

async function standingOf(premises: Premises, account: Account): Promise<Standing> {
  const facts = await readEscrow(premises.config.data, account.id)
  const consent = await escrowConsent(premises, account)
  const { slot, parked, openings } = facts
  return {
    address: formatAddress(account.address),
    escrow: stateOf(facts, consent),
    since: slot && day(slot.since),
    master: slot?.master ?? null,
    isConfigured: slot?.master === plainFingerprint(premises.config.escrow.fingerprint),
    consent: consent && {
      decision: consent.decision,
      version: consent.version,
      at: day(consent.at),
      signedBy: consent.signedBy,
    },
    parked,
    openings: openings.map(({ at, ticket, master }) => ({ at: day(at), ticket, master })),
  }
}

function stateOf({ slot }: EscrowFacts, consent: EscrowConsent | null): Standing['escrow'] {
  const wanted = consent?.decision === 'given'
  if (slot && wanted) return 'on'
  // A reset takes the slot away, and with it what the owner agreed to.
  return slot ? 'unfinished' : 'off'
}

const table = (standings: readonly Standing[]) =>
  tabulate(
    ['address', 'escrow', 'since', 'master key', 'openings'],
    standings.map(({ address, escrow, since, master, isConfigured, openings }) => [
      address,
      escrow,
      since ?? '',
      master === null ? '' : `${master}${isConfigured ? '' : ' (not the configured one)'}`,
      String(openings.length),
    ]),
  )

function words({ address, escrow, since, master, isConfigured, consent, parked, openings }: Standing): string {
  const lines = [
    escrow === 'off'
      ? `Escrow is off for ${address}: nobody but its owner opens ${parked ? 'what arrives now' : 'its mail'}.`
      : `Escrow is on for ${address} since ${since}. Master key: ${master}.`,
  ]
  if (escrow !== 'off' && !isConfigured)
    lines.push('That is not the master key of the configuration: to change it, consent again.')
  if (escrow === 'unfinished') {
    lines.push(
      `The owner has not agreed to it, or has taken the consent back and it was not finished: escrow opt-out ${address}`,
    )
  }
  if (consent) {
    const by = consent.signedBy === null ? 'NOT SIGNED BY A KEY OF THE ACCOUNT' : `signed by ${consent.signedBy}`
    lines.push(`Consent ${consent.decision} on ${consent.at}, text ${consent.version}, ${by}.`)
  }
  if (parked)
    lines.push(
      'Mail from before a reset can still be opened with the master key, until the owner relinks it or opts out.',
    )
  lines.push(openings.length === 0 ? 'It was never opened with a master key.' : 'Opened with a master key:')
  for (const opening of openings) lines.push(`  ${opening.at}  ${opening.ticket}  (${opening.master})`)
  return lines.join('\n')
}
