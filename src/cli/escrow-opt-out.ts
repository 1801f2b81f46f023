/** `letterlock escrow opt-out`: takes the consent back, and with it what the master key can do. */
import type { Account } from '#custody/accounts/directory.ts'
import { readOptOutText } from '#custody/escrow/policy.ts'
import type { EscrowLeft } from '#custody/keyring/key-wishes.ts'
import { formatAddress } from '#formats/message/address.ts'
import { CliError } from './cli-error.ts'
import { confirm } from './confirm.ts'
import type { DecisionOptions } from './escrow.ts'
import { declare } from './escrow-consents.ts'
import { answer } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { Premises } from './premises.ts'
import { openSealedStore } from './sealed-store.ts'

export interface OptOutOptions extends DecisionOptions {
  readonly reseal: boolean
}

export async function optOut(text: string, options: OptOutOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const keyring = await premises.keyring()
  const { slot, parked } = await keyring.escrow(account.id)
  if (!slot && !parked) throw new CliError(`escrow is off for ${address}: there is nothing to take back`)
  const { escrow } = premises.config
  const shown = await readOptOutText(escrow)
  await confirm({ text: shown, question: `Take the consent of ${address} back?`, option: '--agree' }, options.agree)
  const { owner } = await ownerSecrets(premises, account, options)
  const userIds = (await (await premises.directory()).addresses(account.id)).map((one) => `<${formatAddress(one)}>`)
  let left: EscrowLeft | null = null
  await declare(premises, account, owner, {
    declaration: { decision: 'withdrawn', text: shown, label: escrow.label },
    act: async (again) => {
      left = await keyring.leaveEscrow(account.id, again, { userIds, algorithm: 'curve25519' })
      return left
    },
  })
  if (options.reseal) await startResealing(premises, account)
  await premises.tell(`/accounts/${account.id}/end-sessions`)
  report(options, address, left!)
}

/** What arrived while escrow was on is sealed to the old key, which earlier copies and the master key open. */
async function startResealing(premises: Premises, account: Account): Promise<void> {
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  await mail.resealing('running')
}

function report(options: OptOutOptions, address: string, left: EscrowLeft): void {
  const { fingerprint, hasOwnKeys, ended } = left
  const recoveryCode = left.recoveryCode?.reveal() ?? null
  const lines = [`Escrow is off for ${address}: the master key opens nothing that arrives from now on.`]
  if (fingerprint) lines.push(`The new key is ${fingerprint}; the old one goes on reading old mail.`)
  if (hasOwnKeys) lines.push(...OWN_KEY)
  if (fingerprint && options.reseal) lines.push('Old mail is sealed to the new key while you are logged in.')
  if (fingerprint && !options.reseal) lines.push(`To seal old mail to it too: letterlock key reseal ${address}`)
  if (ended > 0) lines.push(`${ended} app passwords of an old form have ended; make new ones.`)
  if (recoveryCode) lines.push(`The new recovery code, shown this once: ${recoveryCode}`)
  lines.push('Keep your recovery code at hand: without password and code, past mail can never be read again.')
  answer(options, { address, fingerprint, hasOwnKeys, ended, recoveryCode }, lines.join('\n'))
}

const OWN_KEY = [
  'Your own key stays. Copies of the disk that were made while escrow was on hold it in a form that the master key opens:',
  'whoever has both can read what is sealed to this key, later mail included. To be safe from that, make a new key',
  'and import it: letterlock key import.',
]
