/**
 * Debian's Postfix beside us: its own configuration, queue and log under one directory, its own loopback address, high ports. It needs
 * root, because its daemons change to the user "postfix". Nothing of the system's /etc/postfix or /var/spool/postfix is touched.
 */
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificate, type PeerCertificate } from './certificate.ts'
import { type MaildirMessage, readMaildir } from './maildir.ts'
import { freePort, ownLoopback, run, startDaemon } from './run.ts'

export interface PostfixOptions {
  /** An empty directory that others may enter. */
  readonly directory: string
  /** Domains it takes mail for. */
  readonly domains: readonly string[]
  /** Their only addresses; every address when absent. Others get 550 5.1.1. */
  readonly addresses?: readonly string[]
  /** Where that mail goes: into one Maildir (see `maildir`), or by LMTP. */
  readonly deliverTo: 'maildir' | { readonly host: string; readonly lmtpPort: number }
  readonly host?: string
  readonly hostname?: string
  /** Offers STARTTLS. */
  readonly tls?: boolean
  /** main.cf, appended, so these win. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Postfix extends AsyncDisposable {
  readonly pid: number
  readonly host: string
  readonly port: number
  readonly hostname: string
  readonly certificate: PeerCertificate | null
  /** What arrived, when it delivers to a Maildir. */
  maildir(): Promise<MaildirMessage[]>
  log(): Promise<string>
  stop(): Promise<void>
}

/** The service table: what receives, queues and delivers, nothing chrooted. */
function masterTable(listen: string): string {
  const rows = [
    `${listen} inet n - n - - smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'virtual unix - n n - - virtual',
    'lmtp unix - - n - - lmtp',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return `${rows.join('\n')}\n`
}

const nobody = 65534

function settingsOf(options: PostfixOptions, host: string, hostname: string, certificate: PeerCertificate | null) {
  const path = (name: string) => join(options.directory, name)
  const { deliverTo } = options
  const maps = options.addresses?.map((address) => `{ ${address} = inbox/ }`).join(', ')
  return {
    compatibility_level: '3.6',
    queue_directory: path('queue'),
    data_directory: path('lib'),
    maillog_file: path('mail.log'),
    maillog_file_prefixes: options.directory,
    myhostname: hostname,
    mydestination: '',
    // Its own address is listened on by name in master.cf; this one only has to be an interface's.
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    smtp_bind_address: host,
    smtp_dns_support_level: 'disabled',
    alias_maps: '',
    alias_database: '',
    biff: 'no',
    virtual_mailbox_domains: options.domains.join(', '),
    virtual_mailbox_base: path('mail'),
    virtual_mailbox_maps: maps === undefined ? 'static:inbox/' : `inline:{ ${maps} }`,
    virtual_mailbox_limit: '0',
    virtual_uid_maps: `static:${nobody}`,
    virtual_gid_maps: `static:${nobody}`,
    virtual_transport: deliverTo === 'maildir' ? 'virtual' : `lmtp:inet:${deliverTo.host}:${deliverTo.lmtpPort}`,
    ...(certificate === null
      ? {}
      : {
          smtpd_tls_security_level: 'may',
          smtpd_tls_cert_file: certificate.certificate,
          smtpd_tls_key_file: certificate.key,
          smtpd_tls_received_header: 'yes',
        }),
    ...options.settings,
  }
}

/** Starts it and waits until it listens. */
export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const host = options.host ?? ownLoopback()
  const hostname = options.hostname ?? 'postfix.test'
  const port = await freePort(host)
  const path = (name: string) => join(options.directory, name)
  for (const name of ['etc', 'queue', 'lib', 'mail', 'tls']) await mkdir(path(name))
  await chmod(options.directory, 0o755)
  await chown(path('mail'), nobody, nobody)
  const postfixUser = Number((await run('id', ['-u', 'postfix'])).stdout.toString())
  await chown(path('lib'), postfixUser, 0)

  const certificate = options.tls ? await makeCertificate(path('tls'), [hostname, host]) : null
  const settings = settingsOf(options, host, hostname, certificate)
  await writeFile(
    path('etc/main.cf'),
    Object.entries(settings)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(''),
  )
  await writeFile(path('etc/master.cf'), masterTable(`${host}:${port}`))

  // Makes the queue's directories with their owners and modes.
  await run('/usr/sbin/postfix', ['-c', path('etc'), 'check'])
  const log = () => readFile(path('mail.log'), 'utf8').catch(() => '')
  const daemon = await startDaemon('/usr/lib/postfix/sbin/master', ['-c', path('etc'), '-d'], {
    ready: [{ host, port }],
    log,
  })
  return {
    pid: daemon.pid,
    host,
    port,
    hostname,
    certificate,
    maildir: () => readMaildir(path('mail/inbox')),
    log,
    stop: daemon.stop,
    [Symbol.asyncDispose]: daemon.stop,
  }
}
