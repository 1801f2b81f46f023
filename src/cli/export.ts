/**
 * `letterlock export`: an account's mail without us. In clear as Maildir, after the password; or with --sealed as one OpenPGP
 * message per file, which gpg or sq opens with the exported key.
 */
import { mkdir, readdir, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account } from '#custody/accounts/directory.ts'
import { type AccountMail, type Mailbox, type MessageRow, MessageUnreadable } from '#custody/store/mail-store.ts'
import { createSealedMailStore } from '#custody/store/sealed-mail-store.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { CliError } from './cli-error.ts'
import { answer, notice, type OutputOptions } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { readSecrets } from './secrets.ts'

export interface ExportOptions extends PlaceOptions, OutputOptions {
  readonly to: string
  readonly sealed?: boolean
  readonly passwordStdin?: boolean
}

const MAILDIR_FLAGS: Readonly<Record<string, string>> = {
  '\\draft': 'D',
  '\\flagged': 'F',
  '\\answered': 'R',
  '\\seen': 'S',
  '\\deleted': 'T',
}

function maildirFlags(row: MessageRow): string {
  return row.flags
    .map((flag) => MAILDIR_FLAGS[flag.toLowerCase()] ?? '')
    .sort()
    .join('')
}

/** A mailbox name as one folder name: levels by `.` as in Maildir++, everything that a file system or shell could mistake escaped. */
function folderOf(name: string): string {
  const safe = name.replace(/[^\p{L}\p{N} _/-]/gu, (character) => `%${Buffer.from(character).toString('hex')}`)
  return name === 'INBOX' ? '' : `.${safe.replaceAll('/', '.')}`
}

interface Exporter {
  readonly directory: (mailbox: Mailbox) => Promise<string>
  readonly write: (folder: string, row: MessageRow, content: Uint8Array) => Promise<void>
}

/** Each file is written under tmp and renamed: an interrupted export holds only whole messages. */
function maildir(to: string): Exporter {
  return {
    async directory(mailbox) {
      const folder = join(to, folderOf(mailbox.name))
      for (const part of ['cur', 'new', 'tmp']) await mkdir(join(folder, part), { recursive: true, mode: 0o700 })
      return folder
    },
    async write(folder, row, content) {
      const name = `${Math.floor(row.internalDate / 1000)}.u${row.uid}.letterlock`
      const temporary = join(folder, 'tmp', name)
      await writeFile(temporary, content, { mode: 0o600 })
      await utimes(temporary, row.internalDate / 1000, row.internalDate / 1000)
      await rename(temporary, join(folder, 'cur', `${name}:2,${maildirFlags(row)}`))
    },
  }
}

function sealedFiles(to: string): Exporter {
  return {
    async directory(mailbox) {
      const folder = join(to, folderOf(mailbox.name).slice(1) || 'INBOX')
      await mkdir(folder, { recursive: true, mode: 0o700 })
      return folder
    },
    write: (folder, row, content) => writeFile(join(folder, `${row.uid}.pgp`), content, { mode: 0o600 }),
  }
}

async function exportAll(mail: AccountMail, exporter: Exporter) {
  let messages = 0
  const unreadable: string[] = []
  for (const mailbox of await mail.mailboxes()) {
    const folder = await exporter.directory(mailbox)
    const rows = await mail.list(mailbox.id)
    for (const [index, row] of rows.entries()) {
      try {
        const content = await mail.read(mailbox.id, row.uid)
        if (content) await exporter.write(folder, row, content)
        messages++
      } catch (error) {
        if (!(error instanceof MessageUnreadable)) throw error
        unreadable.push(`${mailbox.name}/${row.uid}`)
      }
      if ((index + 1) % 1000 === 0) notice(`${mailbox.name}: ${index + 1} of ${rows.length}`)
    }
  }
  return { messages, unreadable }
}

async function openForExport(premises: Premises, account: Account, options: ExportOptions) {
  const closing = new AsyncDisposableStack()
  const sql = closing.use(
    createSqlMailStore({ dataDir: premises.config.data, clock: systemClock, logger: silentLogger }),
  )
  if (options.sealed && !options.passwordStdin) return { closing, mail: closing.use(await sql.open(account.id, null)) }
  const [password] = await readSecrets([{ label: 'Password' }], options.passwordStdin === true)
  const keys = await (await premises.keyring()).unlock(account.id, password!)
  if (!keys) {
    await closing.disposeAsync()
    throw new CliError('the password is wrong; nothing was exported')
  }
  closing.use(keys)
  if (options.sealed) return { closing, mail: closing.use(await sql.open(account.id, null)) }
  const directory = await premises.directory()
  const certificate = async () => {
    const current = (await directory.certificates(account.id)).find((one) => one.current)
    if (!current) throw new CliError('the account has no current certificate')
    return current.certificate
  }
  const sealed = createSealedMailStore(sql, { certificate, logger: silentLogger })
  return { closing, mail: closing.use(await sealed.open(account.id, keys)) }
}

export async function exportMail(text: string, options: ExportOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  await mkdir(options.to, { recursive: true, mode: 0o700 })
  if ((await readdir(options.to)).length > 0)
    throw new CliError(`${options.to} is not empty; name an empty or new directory with --to`)
  const { closing, mail } = await openForExport(premises, account, options)
  await using _ = closing
  await premises.audit().record({
    event: 'mail.exported',
    account: account.id,
    address: formatAddress(account.address),
    // in clear it takes the password
    actor: options.sealed && !options.passwordStdin ? 'operator' : 'owner',
    detail: { sealed: options.sealed === true, to: options.to },
  })
  const { messages, unreadable } = await exportAll(mail, options.sealed ? sealedFiles(options.to) : maildir(options.to))
  answer(
    options,
    { address: formatAddress(account.address), to: options.to, sealed: options.sealed === true, messages, unreadable },
    [
      `${messages} messages written to ${options.to}${options.sealed ? ', each as one OpenPGP message' : ' in clear, as Maildir'}.`,
      ...(unreadable.length > 0
        ? [
            `${unreadable.length} could not be opened (sealed to an old key? letterlock account relink): ${unreadable.join(', ')}`,
          ]
        : []),
    ].join('\n'),
  )
}
