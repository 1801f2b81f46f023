/**
 * `letterlock import`: mail from a Maildir, an mbox file or another provider, sealed as it is read. It needs no password of the
 * account, because sealing needs the certificate only; the password at the other provider is asked for, never in argv.
 */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type MailSource, SourceFailed } from '#agents/import/import.ts'
import { type Imported, type ImportFailure, type ImportState, importMail } from '#agents/import/importer.ts'
import { blankLedger, type Ledger, openLedger } from '#agents/import/ledger.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, type OutputOptions, octets } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { interruptible, Progress } from './progress.ts'
import { openSealedStore } from './sealed-store.ts'
import { readSecrets } from './secrets.ts'

export interface ImportOptions extends PlaceOptions, OutputOptions {
  readonly from: string
  readonly to?: string
  readonly dryRun?: boolean
  readonly ca?: string
  readonly passwordStdin?: boolean
}

const FROM = 'maildir:DIR, mbox:FILE, imaps://USER@HOST[:PORT]/[MAILBOX] or imap://... (upgraded to TLS)'
/** Failures that the answer names; all of them are counted and told as they happen. */
const NAMED = 1000

interface Surroundings {
  readonly premises: Premises
  readonly options: ImportOptions
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly closing: AsyncDisposableStack
}

async function openSource({ premises, options, progress, signal, closing }: Surroundings): Promise<MailSource> {
  const { messageSize: messageLimit } = premises.config.limits
  const [, scheme = '', place = ''] = /^([a-z]+):(.+)$/is.exec(options.from) ?? []
  switch (scheme.toLowerCase()) {
    case 'maildir':
      return (await import('#agents/import/maildir-source.ts')).openMaildir(place, { messageLimit })
    case 'mbox':
      return (await import('#agents/import/mbox-source.ts')).openMbox(place, { messageLimit })
    case 'imap':
    case 'imaps': {
      const { parseImapUrl } = await import('#agents/import/imap-url.ts')
      const { createImapSource } = await import('#agents/import/imap-source.ts')
      const url = parseImapUrl(options.from)
      const ca = options.ca === undefined ? null : await readFile(options.ca, 'utf8')
      const label = `Password of ${url.user} at ${url.host}`
      const [password] = await readSecrets([{ label }], options.passwordStdin === true)
      closing.defer(() => {
        password!.fill(0)
      })
      const notice = (text: string) => progress.say(text)
      return createImapSource({ ...url, password: password!, ca, messageLimit }, { clock, signal, notice })
    }
    default:
      throw new UsageError(`--from: one of ${FROM} is expected`)
  }
}

/** A trial leaves no file behind. */
async function ledgerOf({ premises, options }: Surroundings, account: Account): Promise<Ledger> {
  const { data } = premises.config
  const path = join(data, 'accounts', account.id, 'import.db')
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (options.dryRun && !isThere) return blankLedger(account.id)
  return openLedger(path, await loadKeyFile(join(data, 'keys', 'import.key')), account.id)
}

async function run(around: Surroundings, account: Account, failures: ImportFailure[]): Promise<Imported> {
  const { premises, options, progress, signal, closing } = around
  const source = closing.use(await openSource(around))
  const ledger = closing.use(await ledgerOf(around, account))
  const store = closing.use(await openSealedStore(premises))
  const address = formatAddress(account.address)
  const dryRun = options.dryRun === true
  if (!dryRun)
    await premises.audit().record({
      event: 'mail.imported',
      account: account.id,
      address,
      actor: 'operator',
      detail: { from: options.from, ...(options.to === undefined ? {} : { to: options.to }) },
    })
  return importMail(source, {
    store,
    account: account.id,
    ledger,
    to: options.to ?? null,
    dryRun,
    clock,
    signal,
    progress: (state) => progress.at(() => progressLine(state)),
    failed: (failure) => {
      if (failures.length < NAMED) failures.push(failure)
      if (!options.json) progress.say(`${nameOf(failure)}: ${failure.why}`)
    },
  })
}

const nameOf = ({ mailbox, message }: ImportFailure) => (message === null ? mailbox : `${mailbox}, ${message}`)

function progressLine({ mailbox, looked, count, imported, duplicates, failed }: ImportState): string {
  const place = count === null ? `${looked}` : `${looked} of ${count}`
  const trouble = failed === 0 ? '' : `, ${failed} failed`
  return `${mailbox}: ${place} (in all ${imported} imported, ${duplicates} skipped${trouble})`
}

/** null when everything is in. */
function endingOf({ end, failed }: Imported, address: string): string | null {
  switch (end.kind) {
    case 'over-quota':
      return `the mailbox is full; what is in stays. Give it room (letterlock account quota ${address} SIZE) and run the import again: it continues`
    case 'disk-full':
      return 'the disk is full; what is in stays. Make room and run the import again: it continues'
    case 'interrupted':
      return 'interrupted; what is in stays. Run the import again: it continues'
    case 'source-failed':
      return end.why
    case 'complete':
      return failed === 0 ? null : `${failed} could not be imported; all others are in`
  }
}

export async function importInto(text: string, options: ImportOptions): Promise<void> {
  if (options.to !== undefined && options.to.trim() === '')
    throw new UsageError('--to: the name of a mailbox is expected')
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  if (account.state === 'suspended')
    throw new CliError(`${address} is suspended; letterlock account resume ${address} lifts that`)
  if (!(await (await premises.directory()).certificates(account.id)).some((one) => one.current))
    throw new CliError(`${address} has no key yet that its mail could be sealed to`)
  using progress = new Progress(clock, options.json === true)
  using interruption = interruptible()
  await using closing = new AsyncDisposableStack()
  const failures: ImportFailure[] = []
  const around = { premises, options, progress, signal: interruption.signal, closing }
  const result = await run(around, account, failures).catch((error) => {
    throw error instanceof SourceFailed ? new CliError(error.message) : error
  })
  progress[Symbol.dispose]()
  if (result.end.kind === 'source-failed' && result.imported + result.duplicates + result.failed === 0)
    throw new CliError(result.end.why)
  const { imported, duplicates, failed, end } = result
  const would = options.dryRun ? 'would be ' : ''
  answer(
    options,
    {
      address,
      dryRun: options.dryRun === true,
      imported,
      duplicates,
      failed,
      octets: result.octets,
      end: end.kind,
      failures,
    },
    `${imported} messages (${octets(result.octets)}) ${would}imported, ${duplicates} skipped as duplicates, ${failed} failed.`,
  )
  const ending = endingOf(result, address)
  if (ending !== null) throw new CliError(ending)
}
