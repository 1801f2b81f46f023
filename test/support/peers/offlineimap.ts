/** Synchronises a whole account into Maildirs with offlineimap. */
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type MaildirMessage, readMaildir } from './maildir.ts'
import { type Ran, run } from './run.ts'

export interface OfflineImapOptions {
  /** Keeps the Maildirs and the state between runs. */
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM file of the server's own certificate: it knows no names of certificates that are addresses. */
  readonly certificate: string
}

export interface OfflineImap {
  /** Both ways: new messages, flags, deletions. */
  sync(): Promise<Ran>
  messages(mailbox: string): Promise<MaildirMessage[]>
  path(mailbox: string): string
}

export async function offlineImap(options: OfflineImapOptions): Promise<OfflineImap> {
  const at = (name: string) => join(options.directory, name)
  await mkdir(at('mail'), { recursive: true })
  const { fingerprint512 } = new X509Certificate(await readFile(options.certificate))
  const fingerprint = fingerprint512.replaceAll(':', '').toLowerCase()
  await writeFile(at('password'), `${options.password}\n`, { mode: 0o600 })
  await writeFile(
    at('offlineimaprc'),
    `[general]
accounts = provider
metadata = ${at('state')}
ui = basic

[Account provider]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = ${at('mail')}
utime_from_header = no

[Repository far]
type = IMAP
remotehost = ${options.host}
remoteport = ${options.port}
remoteuser = ${options.user}
remotepassfile = ${at('password')}
ssl = yes
cert_fingerprint = ${fingerprint}
auth_mechanisms = PLAIN
`,
  )
  return {
    sync: () =>
      run('offlineimap', ['-c', at('offlineimaprc'), '-o'], { env: { HOME: options.directory }, mayFail: true }),
    messages: (mailbox) => readMaildir(at(join('mail', mailbox))),
    path: (mailbox) => at(join('mail', mailbox)),
  }
}
