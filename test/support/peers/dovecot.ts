/**
 * Debian's Dovecot 2.3 beside us: LMTP and IMAP on its own loopback address and high ports, its own configuration, mail and log. It
 * needs root. With `mailCrypt` every user has a key pair on P-256 (the strongest curve it takes) locked by the password, and mail is
 * synced to the disk before it is acknowledged: the nearest that Debian has to our sealed mailboxes.
 */
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificate } from './certificate.ts'
import { freePort, ownLoopback, run, startDaemon } from './run.ts'

interface DovecotUser {
  readonly address: string
  readonly password: string
}

export interface DovecotOptions {
  /** An empty directory that others may enter. */
  readonly directory: string
  readonly users: readonly DovecotUser[]
  readonly mailCrypt: boolean
  /** Lines at the end of its configuration. */
  readonly more?: string
}

export interface Dovecot extends AsyncDisposable {
  readonly pid: number
  readonly host: string
  readonly lmtpPort: number
  /** Plain IMAP; logging in without TLS is allowed, it is loopback. */
  readonly imapPort: number
  readonly imapsPort: number
  /** PEM file of the authority behind its certificate. */
  readonly ca: string
  /** Folder with one Maildir per address. */
  readonly mail: string
  log(): Promise<string>
  stop(): Promise<void>
}

const owner = 'nobody'
const ownerId = 65534

interface Places {
  readonly directory: string
  readonly host: string
  readonly lmtpPort: number
  readonly imapPort: number
  readonly imapsPort: number
  readonly certificate: string
  readonly key: string
}

function configuration(places: Places, { mailCrypt, more = '' }: DovecotOptions): string {
  const { directory, host } = places
  const crypt = `
mail_plugins = $mail_plugins mail_crypt
mail_attribute_dict = file:%h/attributes
plugin {
  mail_crypt_curve = prime256v1
  mail_crypt_save_version = 2
  mail_crypt_require_encrypted_user_key = yes
}`
  return `
protocols = imap lmtp
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/dovecot.log
listen = ${host}
ssl = yes
ssl_cert = <${places.certificate}
ssl_key = <${places.key}
disable_plaintext_auth = no
mail_location = maildir:%h/Maildir
mail_fsync = always
first_valid_uid = ${ownerId}
first_valid_gid = ${ownerId}
last_valid_uid = ${ownerId}
mail_max_userip_connections = 1000
postmaster_address = postmaster@dovecot.test
passdb {
  driver = passwd-file
  args = username_format=%u ${directory}/users
}
userdb {
  driver = prefetch
}
userdb {
  driver = static
  args = uid=${owner} gid=nogroup home=${directory}/mail/%u
}
namespace inbox {
  inbox = yes
}
service imap-login {
  inet_listener imap {
    port = ${places.imapPort}
  }
  inet_listener imaps {
    port = ${places.imapsPort}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = ${host}
    port = ${places.lmtpPort}
  }
}
service stats {
  client_limit = 10000
}
${mailCrypt ? crypt : ''}
${more}
`
}

/** Prefetch hands the rest of the line to the session, so that the key opens with the password that logged in. */
function passwordLine(user: DovecotUser, directory: string, mailCrypt: boolean): string {
  const key = mailCrypt ? ' userdb_mail_crypt_private_password=%w' : ''
  const home = `${directory}/mail/${user.address}`
  return `${user.address}:{PLAIN}${user.password}::::::userdb_uid=${owner} userdb_gid=nogroup userdb_home=${home}${key}\n`
}

/** Starts it and waits until it listens. */
export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const { directory } = options
  const path = (name: string) => join(directory, name)
  const host = ownLoopback()
  const [lmtpPort, imapPort, imapsPort] = [await freePort(host), await freePort(host), await freePort(host)]
  await chmod(directory, 0o755)
  for (const name of ['run', 'state', 'mail', 'tls']) await mkdir(path(name))
  await chown(path('mail'), ownerId, ownerId)
  const { ca, certificate, key } = await makeCertificate(path('tls'), ['dovecot.test', host])
  const config = path('dovecot.conf')
  const places = { directory, host, lmtpPort, imapPort, imapsPort, certificate, key }
  await writeFile(config, configuration(places, options))
  await writeFile(path('users'), options.users.map((user) => passwordLine(user, directory, options.mailCrypt)).join(''))
  const log = () => readFile(path('dovecot.log'), 'utf8').catch(() => '')
  const ready = [lmtpPort, imapPort, imapsPort].map((port) => ({ host, port }))
  const daemon = await startDaemon('dovecot', ['-F', '-c', config], { ready, log })
  try {
    if (options.mailCrypt) for (const user of options.users) await makeKey(config, user)
  } catch (error) {
    await daemon.stop()
    throw error
  }
  return {
    pid: daemon.pid,
    host,
    lmtpPort,
    imapPort,
    imapsPort,
    ca,
    mail: path('mail'),
    log,
    stop: daemon.stop,
    [Symbol.asyncDispose]: daemon.stop,
  }
}

/** The password is a made-up one of a test, so doveadm may see it on its command line. */
async function makeKey(config: string, user: DovecotUser): Promise<void> {
  const password = `plugin/mail_crypt_private_password=${user.password}`
  await run('doveadm', ['-c', config, '-o', password, 'mailbox', 'cryptokey', 'generate', '-u', user.address, '-U'])
}
