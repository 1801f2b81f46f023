/** `letterlock key rotate`: a new key, current at once; the one before is revoked and reads old mail. */
import { formatAddress } from '#formats/message/address.ts'
import { answer } from '../output.ts'
import { ownerSecrets } from '../owner.ts'
import { Premises } from '../premises.ts'
import {
  endSessions,
  type KeyOptions,
  keyAlgorithmOf,
  refusing,
  renewalOf,
  resealingLines,
  retiredLines,
  startResealing,
  unlessWrong,
  userIdsOf,
} from './desk.ts'

export interface RotateOptions extends KeyOptions {
  readonly algorithm?: string
  readonly endToEnd?: boolean
  readonly reseal?: boolean
}

export async function rotate(text: string, options: RotateOptions): Promise<void> {
  const algorithm = keyAlgorithmOf(options.algorithm)
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { owner } = await ownerSecrets(premises, account, options)
  const keyring = await premises.keyring()
  const renews = options.endToEnd ? 'end-to-end' : 'key'
  const wish = { userIds: await userIdsOf(premises, account), algorithm, renews } as const
  const made = unlessWrong(await refusing(options, () => keyring.rotateKey(account.id, owner, wish)))
  if (options.reseal && !options.endToEnd) await startResealing(premises, account)
  await endSessions(premises, account)
  const renewal = renewalOf(made)
  const { fingerprint, retired } = made
  answer(
    options,
    { address, fingerprint, retired, ...renewal.document },
    [
      `New key:       ${fingerprint}`,
      ...retiredLines(retired),
      'Passwords, app passwords and the recovery code stay as they are; sessions were ended.',
      ...renewal.lines,
      ...(options.endToEnd ? [] : resealingLines(address, options.reseal)),
    ].join('\n'),
  )
}
