/** `letterlock key generate`: the first key of an account that began without one, with its owner's recorded consent. */
import { readFile } from 'node:fs/promises'
import type { Account } from '#custody/accounts/directory.ts'
import { type Consent, consentsOf, recordConsent } from '#custody/keyring/consents.ts'
import type { OwnerSecrets } from '#custody/keyring/keyring.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { consentDesk } from '../consents.ts'
import { answer } from '../output.ts'
import { ownerSecrets } from '../owner.ts'
import { Premises } from '../premises.ts'
import { endSessions, type KeyOptions, keyAlgorithmOf, refusing, renewalOf, unlessWrong, userIdsOf } from './desk.ts'
import { TERMS_TEXT } from './terms-text.ts'

export interface GenerateOptions extends KeyOptions {
  readonly agree?: boolean
  readonly algorithm?: string
}

async function termsText({ config }: Premises): Promise<string> {
  if (config.custody.termsText === '') return TERMS_TEXT
  const text = await readFile(config.custody.termsText, 'utf8')
  if (text.trim() !== '') return text
  throw new CliError(`custody.termsText: ${config.custody.termsText} is empty: owners must be told what they agree to`)
}

export async function generate(text: string, options: GenerateOptions): Promise<void> {
  const algorithm = keyAlgorithmOf(options.algorithm)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const isUnsigned = await lacksConsent(premises, account)
  const [present] = await (await premises.directory()).certificates(account.id)
  if (present && !isUnsigned)
    throw new CliError(`${address} has a key already. To replace it: letterlock key rotate ${address}`)
  const terms = await termsText(premises)
  await confirm(
    { text: terms, question: `Make the key of ${address} on these terms?`, option: '--agree' },
    options.agree,
  )
  const { owner } = await ownerSecrets(premises, account, options)
  const again = copyOf(owner)
  try {
    const keyring = await premises.keyring()
    const wish = { userIds: await userIdsOf(premises, account), algorithm }
    const made = isUnsigned
      ? null
      : unlessWrong(await refusing(options, () => keyring.generateKey(account.id, owner, wish)))
    const consent = await sign(premises, account, again, terms)
    await endSessions(premises, account)
    const { current } = await keyring.custody(account.id)
    const renewal = renewalOf(made ?? { ended: 0, recoveryCode: null })
    answer(
      options,
      { address, fingerprint: current, consent: { version: consent.version, hash: consent.hash }, ...renewal.document },
      [
        `The key of ${address} is ${current}. Mail that was put off arrives when its senders try again.`,
        `Your consent is recorded: letterlock consents ${address}`,
        ...renewal.lines,
      ].join('\n'),
    )
  } finally {
    again.password.fill(0)
    again.passphrase?.fill(0)
  }
}

/** The key was made and the command stopped before the consent was signed: only that is left to do. */
async function lacksConsent(premises: Premises, account: Account): Promise<boolean> {
  const certificates = await (await premises.directory()).certificates(account.id)
  if (certificates.length !== 1 || certificates[0]!.custody !== 'held') return false
  const log = premises.audit().entries({ account: account.id })
  let wasGenerated = false
  for await (const { event } of log) if (event === 'key.generated') wasGenerated = true
  return (
    wasGenerated && (await consentsOf(await consentDesk(premises), account.id)).every((one) => one.subject !== 'keys')
  )
}

const copyOf = ({ password, passphrase }: OwnerSecrets): OwnerSecrets => ({
  password: Buffer.from(password),
  ...(passphrase ? { passphrase: Buffer.from(passphrase) } : {}),
})

async function sign(
  premises: Premises,
  account: Account,
  { password, passphrase }: OwnerSecrets,
  text: string,
): Promise<Consent> {
  const how = { use: 'owner', ...(passphrase ? { passphrase } : {}) } as const
  await using keys = await (await premises.keyring()).unlock(account.id, password, how)
  const { label } = premises.config.custody
  const wish = { subject: 'keys', decision: 'given', text, label } as const
  return await recordConsent(await consentDesk(premises), unlessWrong(keys), wish)
}
