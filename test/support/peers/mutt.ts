/** Drives mutt and its offspring neomutt, which insist on a terminal: `script` gives them one. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ran, run } from './run.ts'

export interface MuttOptions {
  readonly program?: 'mutt' | 'neomutt'
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM file. Without one the connection is plain. */
  readonly ca?: string
  /** More lines for its configuration. */
  readonly settings?: readonly string[]
}

/** Opens a mailbox and types `keys`, in mutt's notation: functions as `<quit>`, the rest letter by letter. */
export async function mutt(options: MuttOptions, mailbox: string, keys: string): Promise<Ran> {
  const program = options.program ?? 'mutt'
  const home = join(options.directory, program)
  await mkdir(home, { recursive: true })
  await chmod(home, 0o700)
  const scheme = options.ca === undefined ? 'imap' : 'imaps'
  const place = `${scheme}://${options.host}:${options.port}/`
  const settings = [
    `set imap_user=${quoted(options.user)}`,
    `set imap_pass=${quoted(options.password)}`,
    `set folder="${place}"`,
    'set spoolfile=+INBOX',
    'set mbox_type=mbox',
    ...(options.ca === undefined
      ? ['set ssl_force_tls=no', 'set ssl_starttls=no']
      : [`set certificate_file="${options.ca}"`, `set ssl_ca_certificates_file="${options.ca}"`]),
    'set ssl_verify_host=no',
    'set ssl_verify_dates=no',
    'set confirmappend=no',
    'set confirmcreate=no',
    'set delete=yes',
    'set move=no',
    'set sleep_time=0',
    'set wait_key=no',
    ...(options.settings ?? []),
    `push '${keys}'`,
  ]
  await writeFile(join(home, 'muttrc'), `${settings.join('\n')}\n`, { mode: 0o600 })
  const command = `stty rows 40 cols 120; ${program} -n -F ${join(home, 'muttrc')} -f '${place}${mailbox}'`
  const env = { TERM: 'xterm', HOME: home, LC_ALL: 'C.UTF-8' }
  return await run('script', ['-qefc', command, '/dev/null'], { env, mayFail: true })
}

function quoted(text: string): string {
  return `"${text.replace(/["\\$`]/g, '\\$&')}"`
}
