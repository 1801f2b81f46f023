/**
 * `letterlock key reseal`: brings all mail of an account under its current key. With the owner's password it is done here and
 * now, beside the running server or without one; what is interrupted goes on at the owner's next login, or when it is called again.
 */
import type { Account } from '#custody/accounts/directory.ts'
import type { AccountMail, Coverage } from '#custody/store/mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { CliError, UsageError } from './cli-error.ts'
import { coverageText } from './coverage-text.ts'
import { answer, type OutputOptions } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { interruptible, Progress } from './progress.ts'
import { openSealedStore, openUnlocked } from './sealed-store.ts'

export interface ResealOptions extends PlaceOptions, OutputOptions {
  readonly pause?: boolean
  readonly resume?: boolean
  readonly status?: boolean
  readonly passwordStdin?: boolean
}

/** Contents in one step: a progress line now and then, and an answer to Ctrl-C at once. */
const STEP = 32

export async function reseal(text: string, options: ResealOptions): Promise<void> {
  if ([options.pause, options.resume, options.status].filter(Boolean).length > 1)
    throw new UsageError('--pause, --resume and --status exclude each other')
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const coverage =
    options.pause || options.resume || options.status
      ? await direct(premises, account, options)
      : await resealHere(premises, account, options)
  answer(options, { address: formatAddress(account.address), ...coverage }, `${coverageText(coverage)}.`)
}

/** What needs no password. */
async function direct(premises: Premises, account: Account, options: ResealOptions): Promise<Coverage> {
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  if (options.pause) await mail.resealing('paused')
  if (options.resume) await mail.resealing('running')
  return await mail.coverage()
}

async function resealHere(premises: Premises, account: Account, options: ResealOptions): Promise<Coverage> {
  const { owner } = await ownerSecrets(premises, account, options)
  const { password, ...more } = owner
  const keyring = await premises.keyring()
  await using keys = await keyring.unlock(account.id, password, { use: 'owner', ...more })
  if (!keys) throw new CliError('the password is wrong; nothing was changed')
  await using closing = new AsyncDisposableStack()
  const mail = await openUnlocked(premises, account, keys, closing)
  await mail.resealing('running')
  return await resealAll(mail, options.json === true)
}

async function resealAll(mail: AccountMail, isQuiet: boolean): Promise<Coverage> {
  using stopping = interruptible()
  using progress = new Progress(systemClock, isQuiet)
  try {
    for (;;) {
      const coverage = await mail.reseal(STEP)
      // Done, or somebody has paused it.
      if (coverage.state !== 'running' || stopping.signal.aborted) return coverage
      progress.at(() => coverageText({ ...coverage, state: 'off' }))
    }
  } catch (error) {
    if (!isDiskFull(error)) throw error
    throw new CliError('the disk is full; what was re-sealed stays so. Make room and call it again')
  }
}
