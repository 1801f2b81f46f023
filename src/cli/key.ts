/** `letterlock key`: an account's certificates, and its secret keys locked for use elsewhere. */
import { writeFile } from 'node:fs/promises'
import { formatAddress } from '#formats/message/address.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, day, type OutputOptions, tabulate } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions

export async function list(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const keys = (await (await premises.directory()).certificates(account.id)).map(
    ({ fingerprint, since, current, certificate }) => ({
      fingerprint,
      current,
      since: day(since),
      certificate: armor('PUBLIC KEY BLOCK', certificate),
    }),
  )
  answer(
    options,
    { address: formatAddress(account.address), keys },
    tabulate(
      ['fingerprint', 'since', ''],
      keys.map((key) => [key.fingerprint, key.since, key.current ? 'current' : 'old: reads old mail']),
    ),
  )
}

export interface ExportOptions extends Options {
  readonly out?: string
  readonly public?: boolean
  readonly passwordStdin?: boolean
}

async function save(text: string, options: ExportOptions, report: object): Promise<void> {
  if (options.out === undefined) {
    process.stdout.write(text)
    return
  }
  try {
    await writeFile(options.out, text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CliError(`${options.out} exists already; name a new file, so that no other key is overwritten`)
    throw error
  }
  answer(options, { ...report, file: options.out }, `Written to ${options.out}.`)
}

export async function exportKey(text: string, options: ExportOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  if (options.public) {
    const current = (await (await premises.directory()).certificates(account.id)).find((one) => one.current)
    if (!current) throw new CliError(`${address} has no current certificate`)
    const certificate = armor('PUBLIC KEY BLOCK', current.certificate)
    const report = { address, fingerprint: current.fingerprint }
    if (options.out === undefined) return answer(options, { ...report, certificate }, certificate)
    return save(certificate, options, report)
  }
  if (options.json && options.out === undefined)
    throw new UsageError('--json needs --out FILE: a secret key is no JSON')
  const { owner, rest } = await ownerSecrets(premises, account, options, [
    { label: 'Passphrase for the exported key', isNew: true },
  ])
  const armored = await (await premises.keyring()).exportSecretKey(account.id, owner, rest[0]!)
  if (armored === null)
    throw new CliError(`the password${owner.passphrase ? ' or passphrase' : ''} is wrong; nothing was exported`)
  await save(armored, options, { address })
}
