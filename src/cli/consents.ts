/** `letterlock consents`: what an account's owner agreed to, and whether the signatures hold. */
import { type ConsentDesk, consentsOf, type RecordedConsent } from '#custody/keyring/consents.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { answer, day, type OutputOptions, tabulate } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'

export const consentDesk = async (premises: Premises): Promise<ConsentDesk> => ({
  dataDir: premises.config.data,
  directory: await premises.directory(),
  audit: premises.audit(),
  clock: systemClock,
})

const SUBJECTS = { keys: 'a key made by the provider', escrow: 'escrow' } as const

const signatureText = ({ signedBy }: RecordedConsent) =>
  signedBy === null ? 'NOT SIGNED by a key of this account, or changed since' : `signed by ${signedBy}`

export interface ConsentsOptions extends PlaceOptions, OutputOptions {
  readonly text?: boolean
}

export async function consents(address: string, options: ConsentsOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(address)
  const all = await consentsOf(await consentDesk(premises), account.id)
  const rows = all.map((one) => [
    String(one.number),
    day(one.at),
    SUBJECTS[one.subject],
    one.decision,
    one.version,
    signatureText(one),
  ])
  const texts = options.text ? all.map((one) => `\n--- ${one.number}, version ${one.version} ---\n${one.text}`) : []
  const name = formatAddress(account.address)
  answer(
    options,
    { address: name, consents: all.map(({ at, ...one }) => ({ ...one, at: day(at) })) },
    all.length === 0
      ? `${name} has agreed to nothing yet.`
      : [tabulate(['', 'at', 'about', 'decision', 'version of the text', ''], rows), ...texts].join('\n'),
  )
}
