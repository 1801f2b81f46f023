/** `letterlock domain` and `letterlock alias`: what this provider takes mail for. */
import { addressKey, domainKey } from '#custody/accounts/address-key.ts'
import { formatAddress, parseAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError } from './cli-error.ts'
import { printRecords } from './domain-records.ts'
import { answer, type OutputOptions, tabulate } from './output.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions

export async function list(options: Options): Promise<void> {
  await using premises = new Premises(options)
  const domains = await (await premises.directory()).domains()
  answer(options, domains, domains.join('\n'))
}

export async function add(name: string, options: Options): Promise<void> {
  const domain = name.toLowerCase()
  if (!parseAddress(`postmaster@${domain}`)) throw new CliError(`"${name}" is no domain name such as example.org`)
  await using premises = new Premises(options)
  await (await premises.directory()).addDomain(domain)
  answer(
    options,
    { domain },
    `${domain} is a domain of this provider. letterlock domain records ${domain} prints what to publish.`,
  )
}

export async function records(name: string, options: Options & { format?: string; keys?: boolean }): Promise<void> {
  // As DNS knows it (RFC 5890 §2.3.2.1).
  const domain = domainKey(name)
  if (options.format !== undefined && options.format !== 'bind' && options.format !== 'json')
    throw new CliError(`--format: "${options.format}" is neither bind nor json`)
  await using premises = new Premises(options)
  const directory = await premises.directory()
  if (!(await directory.domains()).some((own) => domainKey(own) === domain))
    throw new CliError(`${name} is no domain of this provider; letterlock domain list shows which are`)
  const more = options.keys ? await (await import('./key-records.ts')).keyRecords(domain, directory, systemClock) : []
  await printRecords(domain, premises.config, { ...options, more })
}

export async function addAlias(alias: string, targets: readonly string[], options: Options): Promise<void> {
  await using premises = new Premises(options)
  await (await premises.directory()).addAlias(addressOf(alias), targets.map(addressOf))
  answer(options, { alias, targets }, `Mail for ${alias} goes to ${targets.join(', ')}.`)
}

export async function removeAlias(alias: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const directory = await premises.directory()
  const wanted = addressKey(addressOf(alias))
  if (!(await directory.aliases()).some((one) => addressKey(one.alias) === wanted))
    throw new CliError(`there is no alias ${alias}; letterlock alias list shows all`)
  await directory.removeAlias(addressOf(alias))
  answer(options, { alias, removed: true }, `The alias ${alias} is removed.`)
}

export async function listAliases(options: Options): Promise<void> {
  await using premises = new Premises(options)
  const rows = (await (await premises.directory()).aliases()).map(({ alias, targets }) => ({
    alias: formatAddress(alias),
    targets: targets.map(formatAddress),
  }))
  answer(
    options,
    rows,
    rows.length === 0
      ? 'No aliases.'
      : tabulate(
          ['alias', 'goes to'],
          rows.map((row) => [row.alias, row.targets.join(', ')]),
        ),
  )
}
