/** `letterlock account password|passphrase|recovery-code|relink`: what an account's owner knows, and what happens when it is lost. */
import type { Account } from '#custody/accounts/directory.ts'
import { algorithmOf } from './account.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, notice, type OutputOptions } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { retryUnreadable } from './sealed-store.ts'
import { readSecrets } from './secrets.ts'

type Options = PlaceOptions & OutputOptions & { readonly passwordStdin?: boolean }

export interface PasswordOptions extends Options {
  readonly recovery?: boolean
  readonly reset?: boolean
  readonly algorithm?: string
}

const endSessions = (premises: Premises, account: Account) => premises.tell(`/accounts/${account.id}/end-sessions`)

export async function password(text: string, options: PasswordOptions): Promise<void> {
  if (options.recovery && options.reset) throw new UsageError('--recovery and --reset exclude each other')
  await using premises = new Premises(options)
  const account = await premises.account(text)
  if (options.reset) await resetPassword(premises, account, options)
  else if (options.recovery) await recoverPassword(premises, account, options)
  else await changePassword(premises, account, options)
  await endSessions(premises, account)
}

async function changePassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const { owner, rest } = await ownerSecrets(premises, account, options, [{ label: 'New password', isNew: true }])
  const keyring = await premises.keyring()
  if (!(await keyring.changePassword(account.id, owner.password, rest[0]!, owner.passphrase)))
    throw new CliError(
      `the old password${owner.passphrase ? ' or the passphrase' : ''} is wrong; nothing was changed. If it is forgotten: --recovery (keeps all mail)`,
    )
  answer(
    options,
    { changed: true },
    'The password is changed. All mail and app passwords stay as they are; other sessions were ended.',
  )
}

async function recoverPassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const [code, next] = await readSecrets(
    [{ label: 'Recovery code' }, { label: 'New password', isNew: true }],
    options.passwordStdin === true,
  )
  const keyring = await premises.keyring()
  const hadPassphrase = (await keyring.keyslots(account.id)).some(({ type }) => type === 'passphrase')
  const recovered = await keyring.recover(account.id, code!, next!)
  if (!recovered) throw new CliError('the recovery code is wrong; nothing was changed')
  answer(
    options,
    { changed: true, recoveryCode: recovered.recoveryCode.reveal() },
    [
      'The password is changed. All mail stays readable; other sessions were ended.',
      ...(hadPassphrase ? ['The separate passphrase has ended: the password alone is enough now.'] : []),
      `New recovery code: ${recovered.recoveryCode.reveal()}`,
      'The old code no longer works. The new one is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

const RESET_MEANS = [
  'A reset needs neither the old password nor the recovery code, and this is what it means:',
  '- the account gets a new key; new mail is sealed to it and readable with the new password (in device mode: on the device);',
  '- mail received until now stays sealed to the old key and cannot be read;',
  '- app passwords and a separate passphrase end;',
  '- nothing is deleted: the old locks are parked. Whoever finds the old password or the recovery code opens it all again with',
  '  letterlock account relink ADDRESS',
]

async function resetPassword(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const algorithm = algorithmOf(options.algorithm)
  const keyring = await premises.keyring()
  if ((await keyring.custody(account.id)).mode === 'none') return resetWithoutKey(premises, account, options)
  if (!options.json) notice(RESET_MEANS.join('\n'))
  const [next] = await readSecrets([{ label: 'New password', isNew: true }], options.passwordStdin === true)
  const { certificate, recoveryCode } = await keyring.reset(account.id, account.address, next!, algorithm)
  await (await premises.directory()).addCertificate(account.id, certificate)
  answer(
    options,
    { changed: true, fingerprint: certificate.fingerprint, recoveryCode: recoveryCode.reveal(), means: RESET_MEANS },
    [
      'The account has a new password and a new key.',
      `Certificate:   ${certificate.fingerprint}`,
      `Recovery code: ${recoveryCode.reveal()}`,
      'The recovery code is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

/** Its owner has not agreed to a key yet, and a reset is no consent. */
async function resetWithoutKey(premises: Premises, account: Account, options: PasswordOptions): Promise<void> {
  const [next] = await readSecrets([{ label: 'New password', isNew: true }], options.passwordStdin === true)
  const { recoveryCode } = await (await premises.keyring()).resetWithoutKey(account.id, next!)
  answer(
    options,
    { changed: true, fingerprint: null, recoveryCode: recoveryCode.reveal() },
    [
      'The account has a new password, and still no key: its owner makes one with letterlock key generate.',
      `Recovery code: ${recoveryCode.reveal()}`,
      'The recovery code is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

export interface RelinkOptions extends Options {
  readonly withPassphrase?: boolean
}

export async function relink(text: string, options: RelinkOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const asked = options.withPassphrase
    ? [{ label: 'Old password' }, { label: 'Old passphrase' }]
    : [{ label: 'Old password or recovery code' }]
  const { owner, rest } = await ownerSecrets(premises, account, options, asked)
  const result = await (await premises.keyring()).relink(account.id, owner, rest[0]!, rest[1])
  if (!result)
    throw new CliError(
      [
        'nothing was opened: the password is wrong, or no parked lock opens with the old password or code.',
        'Mail from a time with a separate passphrase opens with the recovery code of that time, or with password and passphrase: --with-passphrase',
      ].join('\n'),
    )
  await retryUnreadable(premises, account)
  await endSessions(premises, account)
  answer(
    options,
    result,
    `${result.relinked} old key(s) are unlocked with the account again; the mail sealed to them is readable.`,
  )
}

export async function recoveryCode(text: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const { owner } = await ownerSecrets(premises, account, options)
  const code = await (await premises.keyring()).reissueRecoveryCode(account.id, owner)
  if (!code) throw new CliError('the password or passphrase is wrong; the recovery code stays as it is')
  answer(
    options,
    { recoveryCode: code.reveal() },
    [
      `New recovery code: ${code.reveal()}`,
      'The old code no longer works. The new one is shown this once and stored nowhere: write it down.',
    ].join('\n'),
  )
}

export interface PassphraseOptions extends Options {
  readonly remove?: boolean
}

const PASSPHRASE_MEANS = [
  'The passphrase is set; sessions were ended. From now on:',
  '- the password alone logs in nowhere, and a stolen copy of the data must be guessed for both together;',
  '- mail programs, which cannot ask for both, need app passwords: letterlock app-password add ADDRESS --label PHONE;',
  '- commands of this program ask for the password and then for the passphrase;',
  '- the recovery code opens without it, and ends it.',
]

export async function passphrase(text: string, options: PassphraseOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const extra = options.remove ? [] : [{ label: 'New passphrase', isNew: true }]
  const { owner, rest } = await ownerSecrets(premises, account, options, extra)
  if (options.remove && !owner.passphrase) throw new CliError('the account has no separate passphrase')
  if (rest[0]?.length === 0) throw new CliError('an empty passphrase is none; --remove ends it')
  if (!(await (await premises.keyring()).setPassphrase(account.id, owner, rest[0] ?? null)))
    throw new CliError('the password or passphrase is wrong; nothing was changed')
  await endSessions(premises, account)
  const means = options.remove
    ? ['The passphrase has ended; the password alone is enough again. Sessions were ended.']
    : PASSPHRASE_MEANS
  answer(options, { passphrase: !options.remove }, means.join('\n'))
}
