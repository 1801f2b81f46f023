/** `letterlock key export`: the secret keys, locked for use elsewhere, or the certificate. */
import { writeFile } from 'node:fs/promises'
import { formatAddress } from '#formats/message/address.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { answer, type OutputOptions } from '../output.ts'
import { ownerSecrets } from '../owner.ts'
import { type PlaceOptions, Premises } from '../premises.ts'
import { findKey } from './list.ts'

type Options = PlaceOptions & OutputOptions

export interface ExportOptions extends Options {
  readonly out?: string
  readonly public?: boolean
  readonly fingerprint?: string
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
    const certificates = await (await premises.directory()).certificates(account.id)
    const { fingerprint } = options
    const one = fingerprint
      ? findKey(certificates, fingerprint, address)
      : certificates.find(({ endToEnd }) => endToEnd)
    if (!one) throw new CliError(`${address} has no current certificate`)
    const published = one.revocation ? withRevocation(one.certificate, one.revocation) : one.certificate
    const certificate = armor('PUBLIC KEY BLOCK', published)
    const report = { address, fingerprint: one.fingerprint }
    if (options.out === undefined) return answer(options, { ...report, certificate }, certificate)
    return await save(certificate, options, report)
  }
  if (options.fingerprint) throw new UsageError('--fingerprint goes with --public: secret keys are exported together')
  if (options.json && options.out === undefined)
    throw new UsageError('--json needs --out FILE: a secret key is no JSON')
  if (!(await (await premises.directory()).certificates(account.id)).some(({ custody }) => custody === 'held'))
    throw new CliError(`${address} has no secret key here: there is nothing to export`)
  const { owner, rest } = await ownerSecrets(premises, account, options, [
    { label: 'Passphrase for the exported key', isNew: true },
  ])
  const armored = await (await premises.keyring()).exportSecretKey(account.id, owner, rest[0]!)
  if (armored === null)
    throw new CliError(`the password${owner.passphrase ? ' or passphrase' : ''} is wrong; nothing was exported`)
  await save(armored, options, { address })
}
