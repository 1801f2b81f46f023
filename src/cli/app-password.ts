/** `letterlock app-password`: passwords for single devices and programs, each with its own rights, each revocable alone. */
import type { Account } from '#custody/accounts/directory.ts'
import type { KeyslotFacts } from '#custody/keyring/keyring.ts'
import { PROTOCOL_WORDS, scopeText, scopeWords } from '#custody/vault/protocol/scope.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, day, type OutputOptions, tabulate } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions & { readonly passwordStdin?: boolean }

export interface AddOptions extends Options {
  readonly label: string
  readonly scope?: string
  readonly sign?: boolean
  readonly expires?: string
}

/** Without --scope, everything; with it, what it names, and signing only if asked for. */
function scopeOf({ scope, sign }: AddOptions): readonly string[] {
  if (scope === undefined) return [...PROTOCOL_WORDS, 'sign']
  const text = scopeText([...scope.split(',').map((word) => word.trim()), ...(sign ? ['sign'] : [])])
  if (text === null)
    throw new UsageError(`--scope: "${scope}" is no list of ${PROTOCOL_WORDS.join(', ')}, with commas between them`)
  return scopeWords(text)
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90d` from now on, or the end of a day (UTC). */
export function expiryOf(text: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return now + Number(count) * UNITS[unit]!
  const start = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  // what is no day of the calendar is not moved to the next one
  if (Number.isNaN(start) || !new Date(start).toISOString().startsWith(text))
    throw new UsageError(`--expires: "${text}" is neither a time such as 90d or 12h nor a date such as 2027-03-31`)
  return start + UNITS['d']!
}

export async function add(text: string, options: AddOptions): Promise<void> {
  const scope = scopeOf(options)
  const expires = options.expires === undefined ? null : expiryOf(options.expires, systemClock.now())
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const { owner } = await ownerSecrets(premises, account, options)
  const wish = { label: options.label, scope, expires }
  const added = await (await premises.keyring()).addAppPassword(account.id, owner, wish)
  if (!added) throw new CliError('the password or passphrase is wrong; nothing was added')
  const password = added.password.reveal()
  answer(
    options,
    { address: formatAddress(account.address), id: added.id, ...wish, expires: expires && day(expires), password },
    [
      `App password "${options.label}" (${added.id}) for ${scope.join(', ')}${expires === null ? '' : `, until ${day(expires)}`}:`,
      `  ${password}`,
      'It is shown this once and stored nowhere: type it into the program that it is for, in place of the password.',
    ].join('\n'),
  )
}

/** Blocked counts more than expired: it is what somebody did. */
function stateOf({ isBlocked, expires }: KeyslotFacts, now: number): string {
  if (isBlocked) return 'blocked'
  return expires !== null && expires <= now ? 'expired' : 'active'
}

async function appPasswords(premises: Premises, account: Account): Promise<readonly KeyslotFacts[]> {
  return (await (await premises.keyring()).keyslots(account.id)).filter(({ type }) => type === 'app')
}

export async function list(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const now = systemClock.now()
  const rows = (await appPasswords(premises, account)).map((slot) => ({
    id: slot.id,
    label: slot.label,
    scope: slot.scope,
    created: day(slot.created),
    expires: slot.expires === null ? null : day(slot.expires),
    lastUse: slot.lastUse === null ? null : day(slot.lastUse),
    state: stateOf(slot, now),
    scram: slot.scram,
  }))
  answer(
    options,
    rows,
    rows.length === 0
      ? 'No app passwords. letterlock app-password add ADDRESS --label PHONE makes one.'
      : tabulate(
          ['id', 'label', 'for', 'created', 'expires', 'last used (to the hour)', 'state', 'SCRAM'],
          rows.map((row) => [
            row.id,
            row.label,
            row.scope.join(','),
            row.created,
            row.expires ?? 'never',
            row.lastUse ?? 'never',
            row.state,
            row.scram ? 'yes' : 'no',
          ]),
        ),
  )
}

export interface RevokeOptions extends Options {
  readonly all?: boolean
  readonly operator?: boolean
}

export async function revoke(text: string, named: readonly string[], options: RevokeOptions): Promise<void> {
  if (options.all ? named.length > 0 : named.length === 0)
    throw new UsageError('name the app passwords by their ids (letterlock app-password list ADDRESS), or --all')
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const ids = options.all ? (await appPasswords(premises, account)).map(({ id }) => id) : named
  if (ids.length === 0) throw new CliError('the account has no app passwords')
  await (options.operator ? block(premises, account, ids) : drop(premises, account, ids, options))
  await premises.tell(`/accounts/${account.id}/end-sessions/${ids.join(',')}`)
  answer(
    options,
    { address: formatAddress(account.address), revoked: ids, blocked: options.operator === true },
    options.operator
      ? `${ids.length} app password(s) are blocked and their sessions ended. The owner's next change of password, passphrase or app passwords removes them.`
      : `${ids.length} app password(s) are revoked and their sessions ended.`,
  )
}

async function block(premises: Premises, account: Account, ids: readonly string[]): Promise<void> {
  await (await premises.keyring()).blockSlots(account.id, ids)
}

async function drop(premises: Premises, account: Account, ids: readonly string[], options: Options): Promise<void> {
  const { owner } = await ownerSecrets(premises, account, options)
  if (!(await (await premises.keyring()).revokeAppPasswords(account.id, owner, ids)))
    throw new CliError(
      'the password or passphrase is wrong; nothing was revoked. Without the owner: --operator blocks them at once',
    )
}
