/** Synchronises a whole account into Maildirs with mbsync (isync). */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type MaildirMessage, readMaildir } from './maildir.ts'
import { type Ran, run } from './run.ts'

export interface MbsyncOptions {
  /** Keeps the Maildirs and the state between runs. */
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM file of the server's own certificate: mbsync knows no names of certificates that are addresses. Else the connection is plain. */
  readonly certificate?: string
  readonly tls?: 'IMAPS' | 'STARTTLS'
}

export interface Mbsync {
  /** Both ways: new messages, flags, deletions. */
  sync(): Promise<Ran>
  /** The local copy of a mailbox. Its messages have LF line ends, as Maildirs do; `asSent` undoes that. */
  messages(mailbox: string): Promise<MaildirMessage[]>
  path(mailbox: string): string
}

export async function mbsync(options: MbsyncOptions): Promise<Mbsync> {
  const at = (name: string) => join(options.directory, name)
  await mkdir(at('mail'), { recursive: true })
  const tls =
    options.certificate === undefined
      ? 'SSLType None'
      : `SSLType ${options.tls ?? 'IMAPS'}\nCertificateFile ${options.certificate}`
  await writeFile(at('password'), options.password, { mode: 0o600 })
  // What a test loses with its machine it makes again.
  const config = `
FSync no

IMAPAccount provider
Host ${options.host}
Port ${options.port}
User ${options.user}
PassCmd "cat ${at('password')}"
AuthMechs LOGIN
${tls}

IMAPStore far
Account provider

MaildirStore near
Path ${at('mail')}/
Inbox ${at('mail')}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
`
  await writeFile(at('mbsyncrc'), config.trimStart())
  return {
    sync: () => run('mbsync', ['-c', at('mbsyncrc'), 'all'], { mayFail: true }),
    messages: (mailbox) => readMaildir(join(at('mail'), mailbox)),
    path: (mailbox) => join(at('mail'), mailbox),
  }
}

/** A Maildir file as it was on the wire: mbsync turns each CRLF into LF and adds one X-TUID field at the end of the header. */
export function asSent(content: Buffer): Buffer {
  const own = content.toString('latin1').replace(/^X-TUID: .{12}\n(?=\n)/m, '')
  return Buffer.from(own.replaceAll('\n', '\r\n'), 'latin1')
}
