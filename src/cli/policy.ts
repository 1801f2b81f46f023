/** `letterlock account policy` and `letterlock domain policy`: what becomes of mail to people elsewhere who have no key. */
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Account, WithoutKey } from '#custody/accounts/directory.ts'
import { type AuditRecord, audited } from '#custody/audit/audit-log.ts'
import { domainOf, formatAddress } from '#formats/message/address.ts'
import { WITHOUT_KEY } from '#privacy/e2e/e2e.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, type OutputOptions } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions

const WORDS: Readonly<Record<WithoutKey, string>> = {
  plain: 'leaves in clear',
  warn: 'leaves in clear, and its author is told so',
  refuse: 'is refused',
  pickup: 'is kept here, sealed, to be picked up',
}

const CHOICES = [...WITHOUT_KEY, 'default'].join(', ')

/** null: back to what counts where nobody chose. */
function choiceOf(text: string): WithoutKey | null {
  if (text === 'default') return null
  const choice = WITHOUT_KEY.find((one) => one === text)
  if (!choice) throw new UsageError(`"${text}" is no policy; it is one of ${CHOICES}`)
  return choice
}

const changed = (account: Account | null, detail: AuditRecord['detail']): AuditRecord => ({
  event: 'policy.changed',
  account: account?.id ?? null,
  ...(account ? { address: formatAddress(account.address) } : {}),
  actor: 'operator',
  detail,
})

/** What counts for the mail of an account, and who chose it. */
export async function policyOfAccount(premises: Premises, account: Account) {
  const directory = await premises.directory()
  const { accounts, domains } = await directory.policies()
  const standard = premises.config.e2e.withoutKey
  const own = accounts.get(account.id) ?? null
  const home = domainOf(account.address)
  const shared = [...domains].find(([domain]) => domainKey(domain) === home)?.[1] ?? null
  const counts = (await directory.policy(account.id)) ?? standard
  const chooser =
    counts === own ? 'by its own choice' : shared === null ? 'as configured' : `by the choice of its domain, ${home}`
  const overruled = own !== null && counts !== own ? `; its own choice, ${own}, is weaker than that` : ''
  return {
    document: { counts, account: own, domain: shared, configuration: standard },
    text: `${counts} (${chooser}${overruled})`,
    sentence: `Mail of ${formatAddress(account.address)} to people without a key ${WORDS[counts]}: ${counts}, ${chooser}${overruled}.`,
  }
}

export async function ofAccount(text: string, choice: string | undefined, options: Options): Promise<void> {
  const wanted = choice === undefined ? undefined : choiceOf(choice)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const directory = await premises.directory()
  if (wanted !== undefined)
    await audited(premises.audit(), changed(account, { withoutKey: wanted ?? 'default' }), () =>
      directory.setAccountPolicy(account.id, wanted),
    )
  const { document, sentence } = await policyOfAccount(premises, account)
  answer(options, { address: formatAddress(account.address), policy: document }, sentence)
}

export async function ofDomain(name: string, choice: string | undefined, options: Options): Promise<void> {
  const wanted = choice === undefined ? undefined : choiceOf(choice)
  await using premises = new Premises(options)
  const directory = await premises.directory()
  const domain = (await directory.domains()).find((own) => domainKey(own) === domainKey(name))
  if (domain === undefined)
    throw new CliError(`${name} is no domain of this provider; letterlock domain list shows which are`)
  if (wanted !== undefined)
    await audited(premises.audit(), changed(null, { domain, withoutKey: wanted ?? 'default' }), () =>
      directory.setDomainPolicy(domain, wanted),
    )
  const chosen = (await directory.policies()).domains.get(domain) ?? null
  const standard = premises.config.e2e.withoutKey
  const counts = chosen ?? standard
  const chooser = chosen === null ? 'as configured' : 'by its own choice'
  answer(
    options,
    { domain, policy: { counts, domain: chosen, configuration: standard } },
    `Mail of ${domain} to people without a key ${WORDS[counts]}: ${counts}, ${chooser}.`,
  )
}
