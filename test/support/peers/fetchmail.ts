/** Takes an account's mail away with fetchmail by IMAP, each message into a file of its own. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ran, run } from './run.ts'

export interface FetchmailOptions {
  /** Made anew by each run. */
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly ca: string
  /** A name in the server's certificate: it knows none that are addresses. */
  readonly name: string
}

export interface Fetched extends Ran {
  /** Sorted by content, with LF line ends as fetchmail hands them on. */
  readonly messages: readonly Buffer[]
}

/** Its exit status is 0 when there was mail and 1 when there was none. */
export async function fetchmail(options: FetchmailOptions): Promise<Fetched> {
  const at = (name: string) => join(options.directory, name)
  await mkdir(at('mail'), { recursive: true })
  await writeFile(at('take'), `#!/bin/sh\nexec cat > "$(mktemp ${at('mail')}/XXXXXXXX)"\n`, { mode: 0o700 })
  // Its strings end at the next quotation mark, whatever stands before it.
  const quoted = (text: string) => `"${text.replaceAll('\\', '\\x5c').replaceAll('"', '\\x22')}"`
  const config = `set invisible
set no bouncemail
poll ${options.host} protocol IMAP service ${options.port} auth password
  user ${quoted(options.user)} password ${quoted(options.password)}
  ssl sslcertck sslcommonname ${quoted(options.name)} sslcertfile ${quoted(options.ca)}
  mda ${quoted(at('take'))}
  fetchall pass8bits no rewrite stripcr no keep
`
  await writeFile(at('fetchmailrc'), config, { mode: 0o600 })
  const ran = await run(
    'fetchmail',
    ['-f', at('fetchmailrc'), '--nodetach', '--nosyslog', '--pidfile', at('pid'), '--idfile', at('ids'), '-v'],
    { env: { HOME: options.directory, FETCHMAILHOME: options.directory }, mayFail: true },
  )
  const names = await readdir(at('mail'))
  const messages = await Promise.all(names.map((name) => readFile(join(at('mail'), name))))
  return { ...ran, messages: messages.sort((a, b) => a.compare(b)) }
}
