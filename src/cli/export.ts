/**
 * `letterlock export`: an account's mail without us. In clear as Maildir, after the password; or with --sealed as one OpenPGP
 * message per file, as it is stored, which gpg or sq opens with the exported key: that needs no password, and gives nothing away.
 */
import { chmod, mkdir, readdir } from 'node:fs/promises'
import type { Account } from '#custody/accounts/directory.ts'
import { type AccountMail, type Mailbox, MessageUnreadable } from '#custody/store/mail-store.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { CliError } from './cli-error.ts'
import { type ExportWriter, maildirWriter, sealedWriter } from './export-files.ts'
import { answer, type OutputOptions } from './output.ts'
import { ownerSecrets } from './owner.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { interruptible, Progress } from './progress.ts'
import { openUnlocked } from './sealed-store.ts'

export interface ExportOptions extends PlaceOptions, OutputOptions {
  readonly to: string
  readonly sealed?: boolean
  readonly passwordStdin?: boolean
}

/** Checked before anything is asked; made only when everything else is right. */
async function refuseFilled(to: string): Promise<void> {
  const names = await readdir(to).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error.code === 'ENOTDIR' ? new CliError(`${to} is a file; name an empty or new directory with --to`) : error
  })
  if (names.length > 0)
    throw new CliError(
      `${to} is not empty; name an empty or new directory with --to (an export that was interrupted is begun anew)`,
    )
}

async function makePrivate(to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  await chmod(to, 0o700)
}

async function openMail(premises: Premises, account: Account, options: ExportOptions, closing: AsyncDisposableStack) {
  if (options.sealed) {
    const { data: dataDir } = premises.config
    const sql = closing.use(createSqlMailStore({ dataDir, clock, logger: silentLogger }))
    return closing.use(await sql.open(account.id, null))
  }
  const { owner } = await ownerSecrets(premises, account, options)
  const { password, ...more } = owner
  const keys = await (await premises.keyring()).unlock(account.id, password, { use: 'owner', ...more })
  if (!keys)
    throw new CliError(`the password${owner.passphrase ? ' or passphrase' : ''} is wrong; nothing was exported`)
  closing.use(keys)
  return await openUnlocked(premises, account, keys, closing)
}

interface Task {
  readonly mail: AccountMail
  readonly writer: ExportWriter
  readonly progress: Progress
  readonly signal: AbortSignal
}

class Tally {
  messages = 0
  readonly unreadable: string[] = []
}

async function exportMailbox({ mail, writer, progress, signal }: Task, mailbox: Mailbox, tally: Tally): Promise<void> {
  const folder = await writer.folder(mailbox)
  const rows = await mail.list(mailbox.id)
  for (const [index, row] of rows.entries()) {
    if (signal.aborted) break
    progress.at(() => `${mailbox.name}: ${index} of ${rows.length} (in all ${tally.messages})`)
    try {
      const content = await mail.read(mailbox.id, row.uid)
      // Gone since it was listed.
      if (!content) continue
      await folder.write(row, content)
      tally.messages++
    } catch (error) {
      if (!(error instanceof MessageUnreadable)) throw error
      tally.unreadable.push(`${mailbox.name}/${row.uid}`)
      progress.say(`${mailbox.name}, UID ${row.uid}: ${error.message}`)
    }
  }
  await folder.finish()
}

/** Each mailbox in turn. Throws CliError when it is not all that there is. */
export async function exportAll(task: Task, mailboxes: readonly Mailbox[], to: string): Promise<Tally> {
  const tally = new Tally()
  try {
    for (const mailbox of mailboxes) await exportMailbox(task, mailbox, tally)
    await task.writer.finish()
  } catch (error) {
    throw isDiskFull(error) ? new CliError(`no space is left for ${to}: what is in it is not all; remove it`) : error
  }
  if (task.signal.aborted) throw new CliError(`interrupted: what is in ${to} is not all; remove it, and export again`)
  return tally
}

export async function exportMail(text: string, options: ExportOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { to } = options
  const sealed = options.sealed === true
  await refuseFilled(to)
  await using closing = new AsyncDisposableStack()
  const mail = await openMail(premises, account, options, closing)
  const event = 'mail.exported'
  // In clear it takes the password.
  const actor = sealed ? 'operator' : 'owner'
  await premises.audit().record({ event, account: account.id, address, actor, detail: { sealed, to } })
  await makePrivate(to)
  using progress = new Progress(clock, options.json === true)
  using interruption = interruptible()
  const leftOut = (count: number) =>
    progress.say(`${count} keywords were left out: a Maildir folder has room for 26 different ones`)
  const mailboxes = await mail.mailboxes()
  const writer = sealed ? sealedWriter(to, mailboxes) : maildirWriter(to, mailboxes, leftOut)
  const { messages, unreadable } = await exportAll(
    { mail, writer, progress, signal: interruption.signal },
    mailboxes,
    to,
  )
  progress[Symbol.dispose]()
  answer(
    options,
    { address, to, sealed, messages, unreadable },
    `${messages} messages written to ${to}${sealed ? ', each as one OpenPGP message' : ' in clear, as Maildir'}.`,
  )
  if (unreadable.length > 0)
    throw new CliError(
      `${unreadable.length} could not be opened; those sealed to an old key open after letterlock account relink ${address}`,
    )
}
